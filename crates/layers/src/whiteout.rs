//! Whiteouts: entries that remove what lower layers have
//! (<https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts>).
//!
//! A whiteout removes nothing that its own layer has put there, whatever their order in the layer.
//! The type of its entry is ignored (`ociWhiteout` in umoci's `oci/layer/tar_extract.go`).

use crate::nodes::{Forget, Nodes};
use sifcache_squashfs::tree::InodeId;

/// The start of the name of a whiteout.
pub(crate) const PREFIX: &[u8] = b".wh.";
/// The name of the whiteout of everything in its directory.
pub(crate) const OPAQUE: &[u8] = b".wh..wh..opq";

/// Applies one whiteout.
pub(crate) struct Cleaner<'a> {
    pub(crate) nodes: &'a mut Nodes,
    /// The time of a removal, in seconds since 1970.
    pub(crate) now: u32,
    /// Whether the directory of the whiteout, and all directories above it, are searchable.
    pub(crate) reachable: bool,
    pub(crate) forget: Forget<'a>,
}

impl Cleaner<'_> {
    /// Removes a name, unless this layer has put it there. Of a directory that this layer has put
    /// there, or has put something into, removes the other names.
    pub(crate) fn remove(&mut self, directory: InodeId, name: &[u8]) {
        let Some(id) = self.nodes.child(directory, name) else { return };
        if self.nodes.is_upper(directory, name, id) {
            self.clean(id, Some(self.now));
        } else {
            self.nodes.remove(directory, name, self.forget);
        }
    }

    /// Removes everything from the directory of the whiteout that lower layers have put there.
    pub(crate) fn empty(&mut self, directory: InodeId) {
        self.clean(directory, None);
    }

    /// Removes everything from a directory that lower layers have put there. Does nothing to other
    /// files.
    ///
    /// umoci restores the time of the directory that holds a whiteout, so `top_time` is `None` for
    /// the directory of an opaque whiteout. Directories below it keep the time of the removal.
    fn clean(&mut self, top: InodeId, top_time: Option<u32>) {
        let mut todo = vec![(top, top_time, self.reachable)];
        while let Some((directory, time, reachable)) = todo.pop() {
            // A directory is walked once in a layer: everything that comes later is of this layer.
            if !self.nodes.is_directory(directory) || !self.nodes.mark_emptied(directory) {
                continue;
            }
            let (upper, lower) = names(self.nodes, directory);
            let below = reachable && self.nodes.is_searchable(directory);
            todo.extend(upper.into_iter().map(|id| (id, Some(self.now), below)));
            let removed = !lower.is_empty();
            for name in lower {
                self.nodes.remove(directory, &name, self.forget);
            }
            if let Some(time) = time.filter(|_| removed) {
                self.nodes.set_time_of_removal(directory, time, reachable);
            }
        }
    }
}

/// The directories of this layer, and the names of lower layers.
fn names(nodes: &Nodes, directory: InodeId) -> (Vec<InodeId>, Vec<Box<[u8]>>) {
    let (mut upper, mut lower) = (Vec::new(), Vec::new());
    for (name, id) in nodes.tree.names(directory).into_iter().flatten() {
        if !nodes.is_upper(directory, name, *id) {
            lower.push(name.clone());
        } else if nodes.is_directory(*id) {
            upper.push(*id);
        }
    }
    (upper, lower)
}
