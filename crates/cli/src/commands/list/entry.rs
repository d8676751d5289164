//! One image of the list, in a compact form: a cache can contain hundreds of thousands of images.

use super::digest::Digest;
use super::start::Runtime;
use super::words::Words;
use crate::cache::image_name;
use crate::cache::store::file::Files;
use crate::cache::store::scan::Image;
use crate::cache::usage::UsageIndex;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use jiff::Timestamp;
use serde::Serialize;
use sifcache_core::image_uri::Transport;
use sifcache_core::layout::Layout;
use sifcache_core::reference::Reference;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// An image root and the names of its files.
#[derive(Debug)]
pub(super) struct Listed {
    /// The path of the root.
    pub(super) path: PathBuf,
    /// The layout, if another tool fills the root.
    pub(super) layout: Option<Layout>,
    pub(super) files: Files,
}

/// An image.
#[derive(Debug)]
pub(super) struct Entry {
    /// The index of its root.
    root: usize,
    /// The index of its file in the root.
    file: usize,
    /// Size of the file in bytes.
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
    reference: Option<&'a str>,
    references: Vec<String>,
    command: Option<String>,
    path: String,
    names: Vec<&'a str>,
    size: u64,
    architecture: &'static str,
    added: Timestamp,
    digests: &'a [Digest],
    source: Option<Cow<'a, str>>,
    last_used: Option<Timestamp>,
    layout: Option<&'static str>,
}

impl Entry {
    /// The entry of an image, the file with this index in the root with this index. If the image
    /// has several references, it is shown under the first one that contains all words.
    pub(super) fn new(
        root: usize,
        file: usize,
        image: &Image,
        usage: &UsageIndex,
        words: &Words,
    ) -> Self {
        let all = image.references();
        let name = image.names.first().map_or("", String::as_str);
        let with_words = image.names.iter().map(String::as_str).filter(|name| words.are_in(name));
        let with_words = if words.is_empty() {
            None
        } else {
            image_name::references(with_words).into_iter().next()
        };
        let reference = with_words.as_ref().or(all.first()).map(image_name::short);
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

    /// The entry of an image in a root that another tool fills.
    pub(super) fn foreign(root: usize, file: usize, image: &Image, reference: &Reference) -> Self {
        Self {
            root,
            file,
            size: image.size,
            added: image.modified,
            last_used: None,
            architecture: image.architecture,
            reference: Text::Other(image_name::short(reference).into()),
            digests: Box::default(),
            source: Text::None,
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

    /// Whether the path is one of its names.
    pub(super) fn is_at(&self, roots: &[Listed], path: &Path) -> bool {
        let root = roots.get(self.root).map_or(Path::new(""), |root| root.path.as_path());
        let name = path.strip_prefix(root).ok();
        name.is_some_and(|name| self.names(roots).any(|one| Path::new(one) == name))
    }

    /// The layout of the root, if another tool fills it.
    fn layout(&self, roots: &[Listed]) -> Option<Layout> {
        roots.get(self.root).and_then(|root| root.layout)
    }

    /// What users type to get the image, without `docker://`, if a reference leads to it.
    pub(super) fn typed<'a>(&'a self, roots: &'a [Listed]) -> Option<&'a str> {
        let reference = self.reference(roots)?;
        Some(match self.layout(roots) {
            Some(_) => reference,
            None => image_name::typed(reference, self.names(roots)),
        })
    }

    /// The command line that starts the image, if a reference leads to it.
    pub(super) fn command(&self, roots: &[Listed], runtime: &Runtime) -> Option<String> {
        self.typed(roots).map(|typed| runtime.command(typed))
    }

    /// The JSON object.
    pub(super) fn row<'a>(&'a self, roots: &'a [Listed], runtime: &Runtime) -> Row<'a> {
        let names: Vec<&str> = self.names(roots).collect();
        let layout = self.layout(roots);
        let reference = self.reference(roots);
        let references: Vec<String> = match layout {
            Some(_) => reference.into_iter().map(str::to_owned).collect(),
            None => {
                let all = image_name::references(names.iter().copied());
                all.iter().map(image_name::short).collect()
            }
        };
        Row {
            reference,
            references,
            command: self.command(roots, runtime),
            path: self.path(roots),
            names,
            size: self.size,
            architecture: self.architecture,
            added: self.added,
            digests: &self.digests,
            source: self.source(roots),
            last_used: self.last_used,
            layout: layout.map(Layout::word),
        }
    }

    /// The cells of the table.
    pub(super) fn cells(&self, roots: &[Listed], now: Timestamp) -> [String; 7] {
        let path = || escape_for_terminal(self.path(roots).as_ref());
        let none = || "-".to_owned();
        let source = match (self.source(roots), self.layout(roots)) {
            (Some(source), _) => escape_for_terminal(Path::new(&*source)),
            (None, Some(layout)) => format!("{layout}={}", path()),
            (None, None) => none(),
        };
        [
            self.reference(roots).map_or_else(path, str::to_owned),
            format::size(self.size),
            self.architecture.to_owned(),
            format::ago(self.added, now),
            self.last_used.map_or_else(none, |used| format::ago(used, now)),
            self.digests.first().map_or_else(none, |digest| abridged(&digest.to_string())),
            source,
        ]
    }
}

/// The first 12 digits, which are enough for a comparison by eye.
fn abridged(digest: &str) -> String {
    digest.rsplit(':').next().unwrap_or_default().chars().take(12).collect()
}
