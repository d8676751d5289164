//! Extended attributes: which of them a runtime can set.

use super::owners::{RECORD, record};
use super::{Attributes, Owners, Rules};
use crate::error::Reason;
use sifcache_squashfs::tree::{Inode, Kind, Metadata, Xattrs};
use std::collections::HashMap;
use std::sync::Arc;

/// Permission of the owner to write.
const WRITE: u16 = 0o200;

/// What decides about the attributes of an inode: its own, and the owner to be recorded.
type Key = (Option<Arc<Xattrs>>, u32, u32);

/// Computes attributes, each set once.
#[derive(Debug)]
pub(super) struct Filter {
    rules: Rules,
    known: HashMap<Key, Option<Arc<Xattrs>>>,
}

impl Filter {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, known: HashMap::new() }
    }

    /// Changes the attributes of an inode whose owner is still that of the layers. `settable` is
    /// metadata whose attributes stay, see [`Merged`](crate::Merged).
    pub(super) fn apply(
        &mut self,
        inode: &mut Inode,
        settable: Option<&Metadata>,
    ) -> Result<(), Reason> {
        let regular = matches!(inode.kind, Kind::Directory(_) | Kind::File { .. });
        let mode = inode.metadata.mode;
        match self.rules.attributes {
            Attributes::All => return all(inode, regular),
            // umoci sets the permissions first, and setxattr(2) needs write permission.
            Attributes::User if regular && mode & WRITE != 0 => {
                inode.metadata.xattrs = self.user(&inode.metadata);
            }
            Attributes::User if settable.is_some() => {
                inode.metadata.xattrs = settable.and_then(|settable| self.user(settable));
            }
            Attributes::User | Attributes::None => inode.metadata.xattrs = None,
        }
        Ok(())
    }

    /// Those of `user.*`, and the owner.
    fn user(&mut self, metadata: &Metadata) -> Option<Arc<Xattrs>> {
        let as_root = self.rules.owners != Owners::Kept;
        let recorded = self.rules.owners == Owners::Root { recorded: true };
        let (uid, gid) = if recorded { (metadata.uid, metadata.gid) } else { (0, 0) };
        if metadata.xattrs.is_none() && (uid, gid) == (0, 0) {
            return None;
        }
        let key = (metadata.xattrs.clone(), uid, gid);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let old = key.0.iter().flat_map(|xattrs| xattrs.iter());
        let mut kept: Xattrs = old
            .filter(|(name, _)| name.starts_with(b"user.") && !(as_root && ***name == *RECORD))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if let Some(value) = record(uid, gid) {
            kept.insert(RECORD.into(), value);
        }
        let kept = (!kept.is_empty()).then(|| Arc::new(kept));
        self.known.insert(key, kept.clone());
        kept
    }
}

/// Keeps everything, if the runtime does not refuse it or leave it out.
fn all(inode: &Inode, regular: bool) -> Result<(), Reason> {
    for name in inode.metadata.xattrs.iter().flat_map(|xattrs| xattrs.keys()) {
        let what = if !regular && name.starts_with(b"user.") {
            // setxattr(2) answers EPERM, and umoci passes that on.
            "on a file that is neither regular nor a directory"
        } else if name.starts_with(b"trusted.overlay.") {
            // umoci 0.4.7 leaves some of them out, 0.6 none.
            "of an overlay file system"
        } else {
            continue;
        };
        return Err(Reason::at(name, format_args!("an extended attribute {what}")));
    }
    Ok(())
}
