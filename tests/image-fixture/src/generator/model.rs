//! What the layers so far have made, as far as the generator needs it.

use crate::random::Random;
use std::collections::BTreeMap;

/// A rough type of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// A directory, with or without an entry of its own.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link to this path below the root directory.
    Link(Vec<u8>),
    /// A device, a named pipe or another symbolic link.
    Other,
}

/// The most links that are followed on the way to a path.
const LINKS: usize = 8;

/// The paths that exist.
#[derive(Debug, Default)]
pub(super) struct Model {
    paths: BTreeMap<Vec<u8>, (Type, usize)>,
    /// Paths that existed once, which entries may name again.
    names: Vec<Vec<u8>>,
}

impl Model {
    /// A layer adds an entry. The parents become directories.
    pub(super) fn put(&mut self, path: &[u8], kind: Type, layer: usize) {
        self.names.push(path.to_vec());
        let Some(path) = self.resolve(path) else { return };
        for parent in parents(&path) {
            self.paths.entry(parent.to_vec()).or_insert((Type::Directory, layer));
        }
        if kind != Type::Directory {
            self.remove_below(&path, usize::MAX);
        }
        self.paths.insert(path, (kind, layer));
    }

    /// A layer removes a path.
    pub(super) fn remove(&mut self, path: &[u8]) {
        let Some(path) = self.resolve(path) else { return };
        self.paths.remove(&path);
        self.remove_below(&path, usize::MAX);
    }

    /// A layer removes what lower layers have below a directory.
    pub(super) fn clear(&mut self, directory: &[u8], layer: usize) {
        let name = [directory, b"/x"].concat();
        let Some(resolved) = self.resolve(&name) else { return };
        let directory = resolved.strip_suffix(b"/x").unwrap_or(&resolved).to_vec();
        self.remove_below(&directory, layer);
    }

    fn remove_below(&mut self, path: &[u8], layer: usize) {
        let below = [path, b"/"].concat();
        self.paths.retain(|path, (_, of)| !path.starts_with(&below) || *of >= layer);
    }

    /// A path that some entry named.
    pub(super) fn name(&self, random: &mut Random) -> Option<Vec<u8>> {
        random.pick(&self.names).cloned()
    }

    /// A path that exists and has a type that is wanted.
    pub(super) fn existing(
        &self,
        random: &mut Random,
        wanted: fn(&Type) -> bool,
    ) -> Option<Vec<u8>> {
        let paths = self.paths.iter().filter(|(_, (kind, _))| wanted(kind));
        let found: Vec<&Vec<u8>> = paths.map(|(path, _)| path).collect();
        random.pick(&found).map(|path| (*path).clone())
    }

    /// The type of a path.
    pub(super) fn kind(&self, path: &[u8]) -> Option<&Type> {
        self.paths.get(path).map(|(kind, _)| kind)
    }

    /// The path with the links of its parents followed. `None` if a parent is neither a directory
    /// nor missing, or if too many links follow each other.
    pub(super) fn resolve(&self, path: &[u8]) -> Option<Vec<u8>> {
        let mut path = path.to_vec();
        for _ in 0..LINKS {
            let found = parents(&path)
                .map(|parent| (parent.len(), self.kind(parent).unwrap_or(&Type::Directory)))
                .find(|(_, kind)| **kind != Type::Directory);
            match found {
                None => return Some(path),
                Some((length, Type::Link(target))) => {
                    let rest = path.get(length..).unwrap_or_default();
                    path = [target.as_slice(), rest].concat();
                }
                Some(_) => return None,
            }
        }
        None
    }
}

/// The parents of a path, without the root directory.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(at, _)| path.get(..at))
}
