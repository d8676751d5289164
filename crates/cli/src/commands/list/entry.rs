//! One image of the list, in little memory: a cache can contain hundreds of thousands of images.

use super::digest::Digest;
use crate::cache::image_name;
use crate::cache::store::file::Files;
use crate::cache::store::scan::Image;
use crate::cache::usage::UsageIndex;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use jiff::Timestamp;
use serde::Serialize;
use sifcache_core::image_uri::Transport;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// An image root and the names of its files.
#[derive(Debug)]
pub(super) struct Listed {
    /// The path of the root.
    pub(super) path: PathBuf,
    pub(super) files: Files,
}

/// An image.
#[derive(Debug)]
pub(super) struct Entry {
    /// The index of its root.
    root: usize,
    /// The index of its file in the root.
    file: usize,
    pub(super) size: u64,
    pub(super) added: Timestamp,
    pub(super) last_used: Option<Timestamp>,
    architecture: &'static str,
    /// The short form of the first reference.
    reference: Text,
    digests: Box<[Digest]>,
    source: Text,
}

/// A text that is usually derived from the first name.
#[derive(Debug)]
enum Text {
    None,
    /// For a reference, its short form is the first name. For a source, it is the URI of that name.
    Usual,
    Other(Box<str>),
}

impl Text {
    /// `text`, which is usually equal to `usual`.
    fn new(text: Option<&str>, usual: impl FnOnce(&str) -> bool) -> Self {
        match text {
            None => Self::None,
            Some(text) if usual(text) => Self::Usual,
            Some(text) => Self::Other(text.into()),
        }
    }
}

/// The JSON object of an image.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    reference: Option<String>,
    references: Vec<String>,
    path: String,
    names: Vec<&'a str>,
    size: u64,
    architecture: &'static str,
    added: Timestamp,
    digests: &'a [Digest],
    source: Option<Cow<'a, str>>,
    last_used: Option<Timestamp>,
}

impl Entry {
    /// The entry of an image, the file with this index in the root with this index.
    pub(super) fn new(root: usize, file: usize, image: &Image, usage: &UsageIndex) -> Self {
        let all = image.references();
        let name = image.names.first().map_or("", String::as_str);
        let reference = all.first().map(image_name::short);
        let source = image.record.as_ref().map(|record| record.source.as_str());
        Self {
            root,
            file,
            size: image.size,
            added: image.added(),
            last_used: image.names.iter().filter_map(|name| usage.last(name)).max(),
            architecture: image.architecture,
            reference: Text::new(reference.as_deref(), |text| text == name),
            digests: image.digests(&all).iter().map(|digest| Digest::new(digest)).collect(),
            source: Text::new(source, |text| Transport::Docker.name_in(text) == Some(name)),
        }
    }

    /// All names of the file, sorted.
    fn names<'a>(&self, roots: &'a [Listed]) -> impl Iterator<Item = &'a str> {
        let root = roots.get(self.root);
        root.into_iter().flat_map(|root| root.files.names_of(self.file))
    }

    /// The short form of the first reference, if a reference leads to the file.
    pub(super) fn reference<'a>(&'a self, roots: &'a [Listed]) -> Option<&'a str> {
        match &self.reference {
            Text::None => None,
            Text::Usual => self.names(roots).next(),
            Text::Other(short) => Some(short),
        }
    }

    /// Where the file comes from, if that is known.
    fn source(&self, roots: &[Listed]) -> Option<Cow<'_, str>> {
        let uri = || self.names(roots).next().map(|name| Transport::Docker.uri(name).into());
        match &self.source {
            Text::None => None,
            Text::Usual => uri(),
            Text::Other(source) => Some(Cow::Borrowed(source)),
        }
    }

    /// The path of the first name.
    pub(super) fn path(&self, roots: &[Listed]) -> String {
        let root = roots.get(self.root).map(|root| root.path.as_path());
        let name = self.names(roots).next().unwrap_or_default();
        root.map(|root| root.join(name).to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The JSON object.
    pub(super) fn row<'a>(&'a self, roots: &'a [Listed]) -> Row<'a> {
        let names: Vec<&str> = self.names(roots).collect();
        let references: Vec<String> =
            image_name::references(names.iter().copied()).iter().map(image_name::short).collect();
        Row {
            reference: references.first().cloned(),
            references,
            path: self.path(roots),
            names,
            size: self.size,
            architecture: self.architecture,
            added: self.added,
            digests: &self.digests,
            source: self.source(roots),
            last_used: self.last_used,
        }
    }

    /// The cells of the table.
    pub(super) fn cells(&self, roots: &[Listed], now: Timestamp) -> [String; 7] {
        let path = || escape_for_terminal(self.path(roots).as_ref());
        let none = || "-".to_owned();
        [
            self.reference(roots).map_or_else(path, str::to_owned),
            format::size(self.size),
            self.architecture.to_owned(),
            format::ago(self.added, now),
            self.last_used.map_or_else(none, |used| format::ago(used, now)),
            self.digests.first().map_or_else(none, |digest| abridged(&digest.to_string())),
            self.source(roots).map_or_else(none, |source| escape_for_terminal(Path::new(&*source))),
        ]
    }
}

/// The first 12 digits, which are enough for a comparison by eye.
fn abridged(digest: &str) -> String {
    digest.rsplit(':').next().unwrap_or_default().chars().take(12).collect()
}
