//! Walks the directories of a file system from its root.

use super::Damage;
use super::budget::Budget;
use super::directory::{self, Entry};
use super::inode::{Body, Inode};
use super::metadata::Metadata;
use std::collections::HashMap;
use std::collections::hash_map;
use std::vec;

/// The type of a directory.
const DIRECTORY: u16 = 1;
/// The memory of a name, besides its bytes: in the walk, and in the map of a directory.
const NAME: usize = 64;
/// The memory of an inode: in the walk, and in a tree.
const INODE: usize = 128;

/// Receives the inodes and names that a walk finds. Inodes are numbered in the order in which they are
/// found, from 0, which is the root.
pub(super) trait Visitor {
    /// Called once for each inode, before any of its names.
    fn inode(&mut self, inode: Inode, budget: &mut Budget) -> Result<(), Damage>;

    /// Called for each name in a directory.
    fn name(&mut self, directory: u32, name: Box<[u8]>, inode: u32) -> Result<(), Damage>;
}

/// A walk that is not finished yet.
struct Walk<'a, V> {
    metadata: &'a Metadata<'a>,
    directories: (u64, u64),
    visitor: &'a mut V,
    budget: Budget,
    /// The inodes that were found, by the place of their first byte.
    found: HashMap<(u64, usize), Found>,
    /// The directories from the root to the current one, with the names that are left.
    path: Vec<(u32, vec::IntoIter<Entry>)>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    index: u32,
    kind: u16,
    number: u32,
}

/// Walks through all directories. The end of the table of directories is that of the next table.
///
/// # Errors
/// If a directory has two names, which includes loops; if a name leads to anything but an inode of
/// its type; if anything is invalid or does not fit in the budget; or the error of the visitor.
pub(super) fn walk<V: Visitor>(
    metadata: &Metadata<'_>,
    budget: Budget,
    visitor: &mut V,
) -> Result<(), Damage> {
    let reader = metadata.reader();
    let directories = (reader.superblock.tables.directories, reader.end_of_directories(metadata)?);
    let (found, path) = (HashMap::new(), Vec::new());
    let mut walk = Walk { metadata, directories, visitor, budget, found, path };
    let root = walk.inode(reader.superblock.root)?;
    if root.kind != DIRECTORY {
        return Err(Damage::at(reader.superblock.tables.inodes, "its root is not a directory"));
    }
    while let Some((directory, names)) = walk.path.last_mut() {
        let directory = *directory;
        match names.next() {
            Some(entry) => walk.entry(directory, entry)?,
            None => drop(walk.path.pop()),
        }
    }
    Ok(())
}

impl<V: Visitor> Walk<'_, V> {
    fn entry(&mut self, directory: u32, entry: Entry) -> Result<(), Damage> {
        let inode = self.inode(entry.inode)?;
        if inode.kind != entry.kind || inode.number != entry.number {
            let name = entry.name.escape_ascii();
            let problem = format!("the name \"{name}\" leads to another inode");
            return Err(Damage::at(self.directories.0, problem));
        }
        self.visitor.name(directory, entry.name, inode.index)
    }

    /// The inode at a reference. A new directory becomes the next one of the walk.
    fn inode(&mut self, reference: u64) -> Result<Found, Damage> {
        let tables = &self.metadata.reader().superblock.tables;
        let mut stream = self.metadata.stream_at((tables.inodes, tables.directories), reference)?;
        let index = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
        let new = match self.found.entry(stream.place()) {
            hash_map::Entry::Occupied(found) if found.get().kind == DIRECTORY => {
                return Err(Damage::at(stream.here(), "a directory with two names"));
            }
            hash_map::Entry::Occupied(found) => return Ok(*found.get()),
            hash_map::Entry::Vacant(new) => new,
        };
        self.budget.take(stream.here(), INODE)?;
        let block_size = self.metadata.reader().superblock.block_size;
        let inode = Inode::read(&mut stream, block_size, &mut self.budget)?;
        let found = *new.insert(Found { index, kind: inode.kind, number: inode.number });
        let names = match inode.body {
            Body::Directory { names, length } => Some((names, length)),
            _ => None,
        };
        self.visitor.inode(inode, &mut self.budget)?;
        if let Some((names, length)) = names {
            let names = self.names(names, length)?;
            self.path.push((index, names.into_iter()));
        }
        Ok(found)
    }

    fn names(&mut self, reference: u64, length: u32) -> Result<Vec<Entry>, Damage> {
        if length == 0 {
            return Ok(Vec::new());
        }
        let mut stream = self.metadata.stream_at(self.directories, reference)?;
        let at = stream.here();
        let (mut entries, budget) = (Vec::new(), &mut self.budget);
        directory::each(&mut stream, length, |entry| {
            budget.take(at, NAME + entry.name.len())?;
            entries.push(entry);
            Ok(())
        })?;
        Ok(entries)
    }
}
