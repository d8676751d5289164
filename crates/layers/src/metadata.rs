//! The metadata of an entry, as the runtime sets it.

use crate::archive::Entry;
use crate::error::Failure;
use sifcache_squashfs::tree::{Metadata, Xattrs};
use std::collections::HashSet;
use std::sync::Arc;

/// Attributes that umoci never sets (`specialXattrs` in its `oci/layer/xattr.go`).
const IGNORED: [&[u8]; 2] = [b"security.selinux", b"system.nfs4_acl"];
/// The longest name of an attribute in bytes that Linux accepts.
const LONGEST_NAME: usize = 255;
/// The longest value of an attribute in bytes that Linux accepts.
const LONGEST_VALUE: usize = 65536;

/// Keeps each set of extended attributes once in memory.
#[derive(Debug)]
pub(crate) struct Interner {
    known: HashSet<Arc<Xattrs>>,
    /// Bytes that further sets may have.
    allowance: u64,
    limit: u64,
}

impl Interner {
    /// `limit` is the size of all different sets in bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self { known: HashSet::new(), allowance: limit, limit }
    }

    /// The metadata of an entry.
    pub(crate) fn metadata(&mut self, entry: &Entry) -> Result<Metadata, Failure> {
        Ok(Metadata {
            mode: u16::try_from(entry.mode & 0o7777).unwrap_or_default(),
            uid: id(entry, entry.uid)?,
            gid: id(entry, entry.gid)?,
            mtime: time(entry)?,
            xattrs: self.xattrs(entry)?,
        })
    }

    /// The attributes that Linux would accept for some file and some user.
    fn xattrs(&mut self, entry: &Entry) -> Result<Option<Arc<Xattrs>>, Failure> {
        let mut kept = Xattrs::new();
        for (name, value) in &entry.xattrs {
            if is_kept(entry, name, value)? {
                kept.insert(name.clone(), value.clone());
            }
        }
        if kept.is_empty() {
            return Ok(None);
        }
        if let Some(known) = self.known.get(&kept) {
            return Ok(Some(Arc::clone(known)));
        }
        let size: usize = kept.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        self.allowance = self.allowance.checked_sub(size as u64).ok_or_else(|| {
            Failure::limit(format_args!("{} bytes of extended attributes", self.limit))
        })?;
        let kept = Arc::new(kept);
        self.known.insert(Arc::clone(&kept));
        Ok(Some(kept))
    }
}

/// Whether an attribute of an entry is set at all. umoci ignores that a file system has no
/// attributes of a kind.
fn is_kept(entry: &Entry, name: &[u8], value: &[u8]) -> Result<bool, Failure> {
    if IGNORED.contains(&name) {
        return Ok(false);
    }
    let refuse = |what: &str| {
        let name = name.get(..LONGEST_NAME).unwrap_or(name).escape_ascii();
        Err(Failure::unsupported(&entry.name, format_args!("{what}: {name}")))
    };
    if name.len() > LONGEST_NAME || value.len() > LONGEST_VALUE {
        return refuse("an extended attribute is too long");
    }
    if name.starts_with(b"system.posix_acl_") {
        return refuse("an access control list");
    }
    if name == b"security.capability" && !is_capability(value) {
        return refuse("capabilities in an unknown format");
    }
    let known: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];
    if name.is_empty() || known.contains(&name) {
        return refuse("an extended attribute without a name");
    }
    Ok(known.iter().any(|prefix| name.starts_with(prefix)))
}

/// Whether Linux accepts the capabilities of a file for all users: `struct vfs_cap_data` of version
/// 2 (`capabilities(7)`). Version 3 depends on user namespaces.
fn is_capability(value: &[u8]) -> bool {
    value.len() == 20 && value.get(1..4) == Some(&[0, 0, 2])
}

/// An owner or group as chown(2) takes it: 32 bits of what the header says.
fn id(entry: &Entry, id: i64) -> Result<u32, Failure> {
    let bits = u32::try_from(id & 0xffff_ffff).unwrap_or(u32::MAX);
    // chown(2) keeps the old owner for the largest number. For a user, umoci records the owner 0 of
    // larger numbers, but no other owner 0.
    if bits == u32::MAX || (bits == 0 && id != 0) {
        let what = format_args!("its owner is {}:{}", entry.uid, entry.gid);
        return Err(Failure::unsupported(&entry.name, what));
    }
    Ok(bits)
}

/// The time as squashfs stores it.
fn time(entry: &Entry) -> Result<u32, Failure> {
    u32::try_from(entry.mtime).map_err(|_| {
        let what = format_args!("its time is {} seconds after 1970", entry.mtime);
        Failure::unsupported(&entry.name, what)
    })
}
