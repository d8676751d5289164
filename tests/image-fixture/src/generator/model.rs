//! What the layers so far have made, as far as the generator needs it.

use crate::random::Random;
use std::collections::BTreeMap;

/// A rough type of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// A directory, with or without an entry of its own.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link to a directory.
    Link,
    /// A device, a named pipe or another symbolic link.
    Other,
}

/// The paths that exist, if no link leads elsewhere.
#[derive(Debug, Default)]
pub(super) struct Model {
    paths: BTreeMap<Vec<u8>, (Type, usize)>,
    /// Paths that existed once, which entries may name again.
    names: Vec<Vec<u8>>,
}

impl Model {
    /// A layer adds an entry. The parents become directories.
    pub(super) fn put(&mut self, path: &[u8], kind: Type, layer: usize) {
        for parent in parents(path) {
            self.paths.entry(parent.to_vec()).or_insert((Type::Directory, layer));
        }
        if kind != Type::Directory {
            self.remove_below(path, usize::MAX);
        }
        self.paths.insert(path.to_vec(), (kind, layer));
        self.names.push(path.to_vec());
    }

    /// A layer removes a path.
    pub(super) fn remove(&mut self, path: &[u8]) {
        self.paths.remove(path);
        self.remove_below(path, usize::MAX);
    }

    /// A layer removes what lower layers have below a directory.
    pub(super) fn clear(&mut self, directory: &[u8], layer: usize) {
        self.remove_below(directory, layer);
    }

    fn remove_below(&mut self, path: &[u8], layer: usize) {
        let below = [path, b"/"].concat();
        self.paths.retain(|path, (_, of)| !path.starts_with(&below) || *of >= layer);
    }

    /// A path that some entry named.
    pub(super) fn name(&self, random: &mut Random) -> Option<Vec<u8>> {
        random.pick(&self.names).cloned()
    }

    /// A path of one of these types that no link leads elsewhere.
    pub(super) fn existing(&self, random: &mut Random, types: &[Type]) -> Option<Vec<u8>> {
        let found: Vec<&Vec<u8>> = self
            .paths
            .iter()
            .filter(|(path, (kind, _))| types.contains(kind) && self.is_plain(path))
            .map(|(path, _)| path)
            .collect();
        random.pick(&found).map(|path| (*path).clone())
    }

    /// The type of a path.
    pub(super) fn kind(&self, path: &[u8]) -> Option<Type> {
        self.paths.get(path).map(|(kind, _)| *kind)
    }

    /// Whether all parents are directories.
    pub(super) fn is_plain(&self, path: &[u8]) -> bool {
        let mut kinds = parents(path).map(|parent| self.paths.get(parent));
        kinds.all(|kind| matches!(kind, Some((Type::Directory, _))))
    }

    /// Whether a parent of the path is neither a directory nor a link nor missing.
    pub(super) fn is_below_file(&self, path: &[u8]) -> bool {
        let mut kinds = parents(path).map(|parent| self.paths.get(parent));
        kinds.any(|kind| matches!(kind, Some((Type::File | Type::Other, _))))
    }
}

/// The parents of a path, without the root directory.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(at, _)| path.get(..at))
}
