//! The superblock: the first 96 bytes, which describe the file system and locate its tables.
//!
//! ```text
//!  0  magic "hsqs"      4  number of inodes   12  block size       16  number of fragments
//! 20  compression, 16 bit      26  number of ids, 16 bit           28  major version, 16 bit
//! 32  reference of the root directory         40  bytes used
//! 48  tables: ids, 56 extended attributes, 64 inodes, 72 directories, 80 fragments, 88 export
//! ```

use super::Damage;
use super::bytes::{u16_at, u32_at, u64_at};
use super::codec::Codec;
use crate::tables::Tables;

/// The length of the superblock in bytes.
pub(super) const LENGTH: usize = 96;

/// The values of the superblock.
#[derive(Debug, Clone)]
pub(super) struct Superblock {
    pub(super) used: u64,
    pub(super) block_size: usize,
    pub(super) codec: Codec,
    pub(super) inodes: u32,
    pub(super) fragments: u32,
    pub(super) ids: u16,
    pub(super) root: u64,
    pub(super) tables: Tables,
}

impl Superblock {
    /// Reads the superblock of a partition of `size` bytes.
    ///
    /// # Errors
    /// If it is not one of squashfs 4.0, or the file system is larger than the partition.
    pub(super) fn parse(bytes: &[u8; LENGTH], size: u64) -> Result<Self, Damage> {
        let (short, long, wide) =
            (|at| u16_at(bytes, at), |at| u32_at(bytes, at), |at| u64_at(bytes, at));
        let block_size = long(12);
        let is_size = block_size.is_power_of_two() && (4 << 10..=1 << 20).contains(&block_size);
        if !bytes.starts_with(b"hsqs") || short(28) != 4 || !is_size {
            return Err(Damage::NotSquashfs);
        }
        let used = wide(40);
        if used > size {
            return Err(Damage::Short { size, used });
        }
        let tables = Tables {
            ids: wide(48),
            xattrs: wide(56),
            inodes: wide(64),
            directories: wide(72),
            fragments: wide(80),
            export: wide(88),
        };
        Ok(Self {
            used,
            block_size: block_size as usize,
            codec: Codec::new(short(20)),
            inodes: long(4),
            fragments: long(16),
            ids: short(26),
            root: wide(32),
            tables,
        })
    }
}
