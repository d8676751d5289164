//! The step of mksquashfs: leaves out or empties what the user may not read.

use super::{Attributes, Rules, Treatment};
use crate::sink::ContentSink;
use sifcache_squashfs::tree::{Inode, InodeId, Kind, Names, Tree};

/// Permission of the owner to read.
const READ: u16 = 0o400;
/// Permission of the owner to enter a directory.
const SEARCH: u16 = 0o100;

impl Rules {
    /// Changes the root file system as the runtime has it into what mksquashfs stores.
    pub fn packed<S: ContentSink>(&self, tree: &mut Tree, sink: &mut S) {
        let treatments =
            [self.unreadable_files, self.unreadable_directories, self.unsearchable_directories];
        if treatments.contains(&Treatment::LeftOut) || treatments.contains(&Treatment::Emptied) {
            change(tree, sink, |inode| self.treatment(inode));
        }
        if self.attributes == Attributes::User {
            hide_attributes(tree);
        }
    }

    fn treatment(&self, inode: &Inode) -> Treatment {
        let mode = inode.metadata.mode;
        match &inode.kind {
            Kind::Directory(_) if mode & READ == 0 => self.unreadable_directories,
            Kind::Directory(_) if mode & SEARCH == 0 => self.unsearchable_directories,
            Kind::File { .. } if mode & READ == 0 => self.unreadable_files,
            _ => Treatment::Kept,
        }
    }
}

/// Removes the attributes that mksquashfs may not read.
fn hide_attributes(tree: &mut Tree) {
    for id in tree.ids() {
        if let Some(inode) = tree.get_mut(id)
            && inode.metadata.mode & READ == 0
        {
            inode.metadata.xattrs = None;
        }
    }
}

/// Removes the files that `is_removed` selects, with everything below them.
pub(super) fn remove<S: ContentSink>(
    tree: &mut Tree,
    sink: &mut S,
    is_removed: impl Fn(&Inode) -> bool,
) {
    let treatment =
        |inode: &Inode| if is_removed(inode) { Treatment::LeftOut } else { Treatment::Kept };
    change(tree, sink, treatment);
}

/// Removes and empties files and directories.
fn change<S: ContentSink>(tree: &mut Tree, sink: &mut S, treatment: impl Fn(&Inode) -> Treatment) {
    let before = reachable(tree);
    for id in tree.ids().filter(|id| before.get(id.index()) == Some(&true)) {
        let left_out: Vec<Box<[u8]>> = tree
            .names(id)
            .into_iter()
            .flatten()
            .filter(|(_, child)| tree.get(**child).map(&treatment) == Some(Treatment::LeftOut))
            .map(|(name, _)| name.clone())
            .collect();
        if let Some(names) = tree.names_mut(id) {
            for name in left_out {
                names.remove(&name);
            }
        }
        if let Some(inode) = tree.get_mut(id)
            && treatment(inode) == Treatment::Emptied
        {
            empty(inode, sink);
        }
    }
    let after = reachable(tree);
    for (id, after) in tree.ids().zip(after) {
        if before.get(id.index()) == Some(&true)
            && !after
            && let Some(inode) = tree.get_mut(id)
        {
            empty(inode, sink);
        }
    }
}

/// Takes the content of a file, or the names in a directory.
fn empty<S: ContentSink>(inode: &mut Inode, sink: &mut S) {
    match &mut inode.kind {
        Kind::File { size, content } => {
            *size = 0;
            if let Some(content) = content.take() {
                sink.forget(content);
            }
        }
        Kind::Directory(names) => *names = Names::new(),
        _ => {}
    }
}

/// Which inodes have a path from the root, by their index.
fn reachable(tree: &Tree) -> Vec<bool> {
    let mut reachable = vec![false; tree.len()];
    let mut todo: Vec<InodeId> = vec![Tree::ROOT];
    while let Some(id) = todo.pop() {
        if let Some(known) = reachable.get_mut(id.index())
            && !std::mem::replace(known, true)
        {
            todo.extend(tree.names(id).into_iter().flatten().map(|(_, child)| *child));
        }
    }
    reachable
}
