//! Files whose names match no reference.

use super::file::File;
use super::finding::{Finding, NO_REFERENCE, STRAY};
use super::fix::Fix;
use super::proper_name::proper;
use crate::cache::image_name;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::candidate;
use sifcache_core::image::State;
use sifcache_core::image_uri::Transport;
use sifcache_core::reference::Reference;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Proposes names for the files of one root, but never the same name for two files.
pub(crate) struct Names<'a> {
    root: &'a Path,
    files: &'a [File],
    /// The states by name. Most roots need none of them.
    states: OnceCell<HashMap<&'a Path, &'a State>>,
    given: RefCell<BTreeSet<String>>,
}

/// Advice for a file with a wrong name.
#[derive(Debug)]
pub(crate) struct Advice {
    /// What to do, for the message.
    pub(crate) text: String,
    /// The free name that it should get.
    pub(crate) name: Option<String>,
    /// Whether jobs find another image for the reference.
    pub(crate) is_there: bool,
}

impl Advice {
    fn other(text: String) -> Self {
        Self { text, name: None, is_there: false }
    }
}

/// The current use of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Free,
    /// An image that jobs find.
    Image,
    /// A file that is not a valid image.
    Broken,
    /// A directory, or a file in place of a parent directory.
    Blocked,
}

impl<'a> Names<'a> {
    /// Prepares proposals for `files`, the files of the root at this path.
    pub(crate) fn new(root: &'a Path, files: &'a [File]) -> Self {
        Self { root, files, states: OnceCell::new(), given: RefCell::default() }
    }

    fn state(&self, name: &str) -> Option<&State> {
        let named = || self.files.iter().filter(|file| file.key.is_some());
        let states = || named().map(|file| (file.name(), file.state())).collect();
        self.states.get_or_init(states).get(Path::new(name)).copied()
    }

    /// The finding for a file that has no reference.
    pub(crate) fn judge(&self, file: &File) -> Finding {
        let path = file.path();
        match file.state() {
            State::Image => {
                let what = "a SIF file whose name matches no reference";
                let advice = self.rename(file);
                let finding = Finding::problem(NO_REFERENCE, path, what, &*advice.text);
                finding.with_fix(self.fix(file, &advice))
            }
            State::Truncated { size, needed } => {
                let what = format!(
                    "cut short or still being copied, {size} of {needed} bytes, \
                     and its name matches no reference"
                );
                let advice = format!(
                    "remove it if it is left over; if it is still being written, wait, and then {}",
                    self.rename(file).text
                );
                Finding::problem(NO_REFERENCE, path, what, advice)
            }
            state @ (State::Failed(_) | State::Unreadable) => Finding::refused(path, state),
            State::Encrypted
            | State::OciSif
            | State::NoRootFileSystem
            | State::BadTable
            | State::UnknownFileSystem(_) => {
                let what = format!("{}, and its name matches no reference", file.state());
                Finding::note(STRAY, path, what, "")
            }
            State::DanglingLink => Finding::note(STRAY, path, "a dangling link, not an image", ""),
            _ => Finding::note(STRAY, path, "not an image, and its name matches no reference", ""),
        }
    }

    /// Derives the name from the current one, to preserve a chosen registry and tag, or else from
    /// the origin recorded in the file.
    fn rename(&self, file: &File) -> Advice {
        let transport = file.name().to_str().map(|name| Transport::of_file(name).0);
        if let Some(directory) = transport.and_then(Transport::directory) {
            let text =
                format!("rename it as its URI is written, {directory}/ in place of the transport");
            return Advice::other(text);
        }
        let origin = || file.origin().map(|origin| image_name::file(&origin.reference));
        match proper(file.name()).or_else(origin) {
            Some(name) => self.advice(&name),
            None => Advice::other("rename it to NAME:TAG, all lower case".into()),
        }
    }

    /// The change of `--fix --rename`, if the advice proposes a free name.
    pub(crate) fn fix(&self, file: &File, advice: &Advice) -> Option<Fix> {
        let to = self.root.join(advice.name.as_ref()?);
        Some(Fix::Rename { from: file.path().to_path_buf(), to, root: self.root.to_owned() })
    }

    /// Whether one of the names that every launch of the reference finds leads to this file.
    pub(crate) fn is_same_file(&self, file: &File, reference: &Reference) -> bool {
        let same = |name: String| {
            let other = self.root.join(name).metadata().ok();
            other.is_some_and(|other| Some((other.dev(), other.ino())) == file.identity())
        };
        names(&image_name::file(reference), reference).into_iter().any(same)
    }

    /// Advice for giving a file this name, or another name for the same reference.
    pub(crate) fn advice(&self, name: &str) -> Advice {
        let Some(reference) = image_name::reference(name) else {
            return Advice::other("rename it to NAME:TAG, all lower case".into());
        };
        let names = names(name, &reference);
        let is_image = |name: &&String| self.place(name) == Place::Image;
        if let Some(other) = names.iter().find(is_image) {
            let text = format!(
                "it looks like a duplicate of {}; remove one",
                escape_for_terminal(Path::new(other))
            );
            return Advice { is_there: true, ..Advice::other(text) };
        }
        // The name was already proposed for another file.
        if !self.given.borrow_mut().insert(reference.to_string()) {
            let text = format!(
                "it looks like a duplicate of {}; remove one",
                escape_for_terminal(Path::new(name))
            );
            return Advice::other(text);
        }
        let shown = escape_for_terminal(Path::new(name));
        if self.place(name) == Place::Broken {
            return Advice::other(format!(
                "rename it to {shown}, in place of the file there, which is not a valid image"
            ));
        }
        match names.iter().find(|name| self.place(name) == Place::Free) {
            Some(free) => Advice {
                text: format!("rename it to {}", escape_for_terminal(Path::new(free))),
                name: Some(free.clone()),
                is_there: false,
            },
            None => Advice::other(format!("free the name {shown} and rename it to that")),
        }
    }

    fn place(&self, name: &str) -> Place {
        let path = self.root.join(name);
        if self.state(name) == Some(&State::Image) {
            return Place::Image;
        }
        let parents = path.ancestors().skip(1).take_while(|parent| parent.starts_with(self.root));
        if parents.into_iter().any(|parent| parent.symlink_metadata().is_ok() && !parent.is_dir()) {
            return Place::Blocked;
        }
        match path.symlink_metadata() {
            Err(_) => Place::Free,
            Ok(_) if path.is_dir() => Place::Blocked,
            Ok(_) => Place::Broken,
        }
    }
}

/// The possible names of a file for the reference: the proposed one, then the names that are looked
/// up for every spelling of the reference.
fn names(name: &str, reference: &Reference) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    let short = Reference::parse_printed(image_name::short(reference).as_bytes());
    let others = short.as_ref().map(candidate::names).unwrap_or_default();
    for other in others.into_iter().chain(candidate::names(reference)) {
        if !names.contains(&other) {
            names.push(other);
        }
    }
    names
}
