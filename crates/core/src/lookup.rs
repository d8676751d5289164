//! The look-up: candidates over the image roots, in order, until one is an image.

use crate::image::{Root, State};
use crate::settings::Untrusted;
use std::path::PathBuf;

/// A file that a reference may be stored as, and what it turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its path: the image root as the site wrote it, and the name.
    pub path: PathBuf,
    /// What is there.
    pub state: State,
}

/// Every candidate of every root in the order of look-up; the first image ends the
/// search, and those after it are [`State::NotTried`]. A root that is not there stands
/// for all its candidates, as [`State::NoRoot`].
#[must_use]
pub fn search(roots: &[PathBuf], names: &[String], untrusted: Untrusted) -> Vec<Candidate> {
    let mut candidates = Vec::with_capacity(roots.len() * names.len());
    let mut found = false;
    for path in roots {
        // A root behind the one with the image must not be touched: it may hang.
        let root = (!found).then(|| Root::enter(path, untrusted));
        if root.as_ref().is_some_and(Root::is_missing) {
            candidates.push(Candidate { path: path.clone(), state: State::NoRoot });
            continue;
        }
        for name in names {
            let state = match &root {
                Some(root) if !found => root.check(name),
                _ => State::NotTried,
            };
            found |= state == State::Image;
            candidates.push(Candidate { path: path.join(name), state });
        }
    }
    candidates
}

#[cfg(test)]
mod tests;
