//! The order in which directories and inodes are written, and the numbers of the inodes.
//!
//! An entry of a directory refers to the position of its inode, and the inode of a directory to the
//! position of its entries. So everything below a directory is written first. All inodes of one
//! directory are neighbours, which `ls -l` reads together:
//!
//! ```text
//! for each directory, those below it first:
//!     the inodes of its names, if they are not written yet (hard links)
//!     its entries
//! the inode of the root
//! ```

use super::error::Error;
use crate::tree::{InodeId, Kind, Tree};

/// The directories of a tree in the order in which they are written, and numbers of all inodes.
#[derive(Debug)]
pub(super) struct Order {
    /// Each directory comes after all directories below it.
    pub(super) directories: Vec<InodeId>,
    /// The number of each inode, from 1 on, by index; 0 if no name leads to it.
    numbers: Vec<u32>,
    /// The number of names of each inode.
    names: Vec<u32>,
    /// The directory that a directory is in.
    parents: Vec<u32>,
    /// The number of inodes that have a number.
    pub(super) count: u32,
}

impl Order {
    /// # Errors
    /// A directory has two names, or a name belongs to no inode.
    pub(super) fn new(tree: &Tree) -> Result<Self, Error> {
        let mut order = Self {
            directories: Vec::new(),
            numbers: vec![0; tree.len()],
            names: vec![0; tree.len()],
            parents: vec![0; tree.len()],
            count: 0,
        };
        order.find_directories(tree)?;
        order.number_inodes(tree)?;
        Ok(order)
    }

    /// A loop instead of a recursion: a hostile image has thousands of levels.
    fn find_directories(&mut self, tree: &Tree) -> Result<(), Error> {
        let mut stack = vec![Tree::ROOT];
        while let Some(directory) = stack.pop() {
            self.directories.push(directory);
            for (name, id) in tree.names(directory).into_iter().flatten() {
                let invalid = || Error::Tree(String::from_utf8_lossy(name).into_owned());
                let names = self.names.get_mut(id.index()).ok_or_else(invalid)?;
                *names = names.checked_add(1).ok_or(Error::TooMany("names of a file"))?;
                if is_directory(tree, *id) {
                    if *names > 1 || *id == Tree::ROOT {
                        return Err(invalid());
                    }
                    if let Some(parent) = self.parents.get_mut(id.index()) {
                        *parent = u32::try_from(directory.index()).unwrap_or(0);
                    }
                    stack.push(*id);
                }
            }
        }
        self.directories.reverse();
        Ok(())
    }

    fn number_inodes(&mut self, tree: &Tree) -> Result<(), Error> {
        let below = self.directories.iter().filter_map(|directory| tree.names(*directory));
        for id in below.flat_map(std::collections::BTreeMap::values).chain([&Tree::ROOT]) {
            if let Some(number) = self.numbers.get_mut(id.index()).filter(|number| **number == 0) {
                self.count = self.count.checked_add(1).ok_or(Error::TooMany("inodes"))?;
                *number = self.count;
            }
        }
        // The parent of the root has the number after the last one.
        self.count.checked_add(1).map(drop).ok_or(Error::TooMany("inodes"))
    }

    /// The number of an inode.
    pub(super) fn number(&self, id: InodeId) -> u32 {
        self.numbers.get(id.index()).copied().unwrap_or(0)
    }

    /// The number of names of an inode that is not a directory.
    pub(super) fn links(&self, id: InodeId) -> u32 {
        self.names.get(id.index()).copied().unwrap_or(0)
    }

    /// The number of the directory that a directory is in.
    pub(super) fn parent(&self, id: InodeId) -> u32 {
        if id == Tree::ROOT {
            return self.count + 1;
        }
        let parent = self.parents.get(id.index()).copied().unwrap_or(0);
        self.numbers.get(parent as usize).copied().unwrap_or(0)
    }

    /// The numbers of all inodes by index; 0 if no name leads to the inode.
    pub(super) fn numbers(&self) -> &[u32] {
        &self.numbers
    }
}

/// Whether the inode is a directory.
pub(super) fn is_directory(tree: &Tree, id: InodeId) -> bool {
    matches!(tree.get(id).map(|inode| &inode.kind), Some(Kind::Directory(_)))
}
