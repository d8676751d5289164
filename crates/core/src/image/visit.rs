//! An image root during one lookup.

use super::by_descriptor::{Entered, Found, SystemCalls, Tree};
use super::origin::Origin;
use super::{Root, State, check_opened};
use crate::settings::Untrusted;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// An image root, and the way to its candidates: by descriptors as far as possible, and otherwise
/// by paths. Both give the same states.
pub(crate) struct Visit<'a> {
    path: &'a Path,
    untrusted: Untrusted,
    by_descriptor: Entered,
    by_path: OnceCell<Root<'a>>,
}

impl<'a> Visit<'a> {
    /// Opens the root. Without `calls`, all checks are by path.
    pub(crate) fn new(path: &'a Path, untrusted: Untrusted, calls: Option<SystemCalls>) -> Self {
        let enter = |calls| Tree::enter(path, untrusted, calls);
        let by_descriptor = calls.map_or(Entered::Unclear, enter);
        Self { path, untrusted, by_descriptor, by_path: OnceCell::new() }
    }

    fn by_path(&self) -> &Root<'a> {
        self.by_path.get_or_init(|| Root::enter(self.path, self.untrusted))
    }

    /// Whether the root does not exist, or is a dangling link.
    pub(crate) fn is_missing(&self) -> bool {
        match self.by_descriptor {
            Entered::Root(_) => false,
            Entered::Missing => true,
            Entered::Unclear => self.by_path().is_missing(),
        }
    }

    /// The path of the candidate `name`.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Checks the candidate `name`, and that it records an accepted origin if `origin` is given.
    pub(crate) fn check(&mut self, name: &str, origin: Option<Origin<'_>>) -> State {
        // After an unclear case, all candidates are checked by path, so that a problem of the root
        // is the state of all of them.
        let found = match (&mut self.by_descriptor, self.by_path.get()) {
            (Entered::Root(tree), None) => tree.find(name),
            _ => Found::Unclear,
        };
        match found {
            Found::Absent => State::Absent,
            Found::File(mut file, size) => {
                check_opened(&mut file, size, origin).err().unwrap_or(State::Image)
            }
            Found::Unclear => self.by_path().check_origin(name, origin),
        }
    }
}
