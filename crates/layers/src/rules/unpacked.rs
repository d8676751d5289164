//! The step of unpacking: the merged tree as the runtime writes it to disk.

use super::attributes::Filter;
use super::{Attributes, Owners, Removals, Rules, Treatment};
use crate::error::Reason;
use crate::merge::Merged;
use crate::sink::ContentSink;
use sifcache_squashfs::tree::{Inode, InodeId, Kind, Metadata, Tree};
use std::collections::HashMap;

impl Rules {
    /// Changes a merged tree into what the runtime unpacks: owners, extended attributes, devices,
    /// and the permissions of directories without an entry.
    ///
    /// # Errors
    ///
    /// The runtime refuses something in the tree, or its result is not known, so that only its own pull
    /// can determine it.
    pub fn unpacked<S: ContentSink>(
        &self,
        merged: &mut Merged,
        sink: &mut S,
    ) -> Result<(), Reason> {
        if let (Attributes::User, Some(reason)) = (self.attributes, &merged.hidden) {
            return Err(reason.clone());
        }
        self.times(merged)?;
        let Merged { tree, implied, settable, .. } = merged;
        for id in implied.iter().filter(|id| **id != Tree::ROOT) {
            if let Some(inode) = tree.get_mut(*id) {
                // A setgid directory passes this bit on to directories in it.
                inode.metadata.mode = self.implied_mode & 0o777 | inode.metadata.mode & 0o2000;
                // So does its group, which umoci records only for entries.
                if self.owners != Owners::Kept {
                    (inode.metadata.uid, inode.metadata.gid) = (0, 0);
                }
            }
        }
        let mut filter = Filter::new(*self);
        for id in tree.ids() {
            if let Some(inode) = tree.get_mut(id) {
                self.unpack(inode, settable.get(&id), &mut filter)?;
            }
        }
        self.check_root(tree)?;
        if self.devices == Treatment::LeftOut {
            super::packed::remove(tree, sink, |inode| {
                matches!(inode.kind, Kind::BlockDevice(_) | Kind::CharDevice(_))
            });
        }
        Ok(())
    }

    /// Sets the times of directories that the runtime changed while it unpacked.
    fn times(&self, merged: &mut Merged) -> Result<(), Reason> {
        let Merged { tree, removed_from, unwritable, .. } = merged;
        if self.owners != Owners::Kept {
            restore(tree, unwritable);
        }
        match self.removals {
            Removals::Now => {}
            Removals::Restored => restore(tree, removed_from),
            Removals::Unknown if removed_from.is_empty() => {}
            Removals::Unknown => {
                let what = "a whiteout changes a directory that its own layer changes";
                return Err(Reason::of_image(what));
            }
        }
        Ok(())
    }

    fn unpack(
        &self,
        inode: &mut Inode,
        settable: Option<&Metadata>,
        filter: &mut Filter,
    ) -> Result<(), Reason> {
        let is_device = matches!(inode.kind, Kind::BlockDevice(_) | Kind::CharDevice(_));
        if is_device && self.devices == Treatment::Emptied {
            inode.kind = Kind::File { size: 0, content: None };
        }
        filter.apply(inode, settable)?;
        if self.owners != Owners::Kept {
            (inode.metadata.uid, inode.metadata.gid) = (0, 0);
        }
        Ok(())
    }

    /// Whether the runtime can add its files to the root directory, and read it. Apptainer gives
    /// the owner permission to write, but no other one.
    fn check_root(&self, tree: &Tree) -> Result<(), Reason> {
        let mode = tree.get(Tree::ROOT).map_or(0, |root| root.metadata.mode);
        if self.unreadable_directories == Treatment::Kept || mode & 0o500 == 0o500 {
            return Ok(());
        }
        let what = format_args!("the root directory has mode {mode:04o}");
        Err(Reason::of_image(what))
    }
}

/// Sets the times of directories.
fn restore(tree: &mut Tree, times: &HashMap<InodeId, u32>) {
    for (id, time) in times {
        if let Some(inode) = tree.get_mut(*id) {
            inode.metadata.mtime = *time;
        }
    }
}
