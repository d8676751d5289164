//! Where the tables of a squashfs are.

/// The offset of a missing table.
pub(crate) const MISSING: u64 = u64::MAX;

/// The offset of each table from the superblock, in bytes; [`MISSING`] if there is none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables {
    pub(crate) ids: u64,
    pub(crate) xattrs: u64,
    pub(crate) inodes: u64,
    pub(crate) directories: u64,
    pub(crate) fragments: u64,
    pub(crate) export: u64,
}
