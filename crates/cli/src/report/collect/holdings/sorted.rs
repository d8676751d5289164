//! The files of one image root in a survey, in the order of their names as bytes.

use super::Facts;
use crate::cache::store::file::Files;
use crate::inspect::file::File;
use rayon::prelude::*;
use sifcache_core::image::State;
use sifcache_core::image_uri::Transport;

/// The files whose names are UTF-8, by the numbers of their names in [`Files`].
pub(super) struct Sorted<'a> {
    names: Vec<(&'a str, &'a File)>,
    not_utf8: usize,
}

impl<'a> Sorted<'a> {
    /// Sorts the files of one root.
    pub(super) fn new(all: &'a [File]) -> Self {
        let names = all.iter().filter_map(|file| Some((file.name().to_str()?, file)));
        let mut names: Vec<(&str, &File)> = names.collect();
        names.par_sort_unstable_by_key(|(name, _)| *name);
        let not_utf8 = all.len() - names.len();
        Self { names, not_utf8 }
    }

    /// The regular files, with all of their names.
    pub(super) fn files(&self) -> Files {
        let all = self.names.iter().map(|(name, file)| (*name, file.regular()));
        Files::known(all, self.not_utf8)
    }

    /// The image whose names have these numbers; `None` if the survey does not say that it is one.
    /// A survey checks images as a job does, so a file that it refuses can still be an image.
    pub(super) fn facts(&self, numbers: &mut dyn Iterator<Item = usize>) -> Option<Facts> {
        let names: Vec<&File> =
            numbers.filter_map(|number| Some(self.names.get(number)?.1)).collect();
        let image = names.iter().find(|file| *file.state() == State::Image)?;
        let regular = image.regular()?;
        let known = image.known;
        let is_named = |what: fn(&str) -> bool| {
            let has_it =
                |file: &&File| file.key.is_some() && file.name().to_str().is_some_and(what);
            names.iter().any(has_it)
        };
        let has_digest = || known.is_some_and(|known| known.has_digest) || is_named(is_pinned);
        Some(Facts {
            size: regular.size,
            added: known.and_then(|known| known.added()).unwrap_or(regular.modified),
            has_tag: is_named(is_tag) && has_digest(),
        })
    }
}

fn is_pinned(name: &str) -> bool {
    name.contains('@')
}

/// Whether a reference with this name has a tag of a registry.
fn is_tag(name: &str) -> bool {
    !is_pinned(name) && Transport::of_file(name).0.is_registry()
}
