//! The superblock, the first 96 bytes, and the options of the compression behind it.
//!
//! ```text
//!  0  magic "hsqs"              20  compression 2            32  position of the root inode 8
//!  4  number of inodes 4        22  log2 of the block size 2 40  used bytes 8
//!  8  time 4                    24  flags 2                  48  offsets of the tables, 8 each:
//! 12  block size 4              26  number of ids 2              ids, attributes, inodes,
//! 16  number of fragments 4     28  version 4.0, 2 and 2         directories, fragments, export
//! ```
//!
//! The options record the level with which the file was made; readers ignore them. They are a metadata
//! block that is not compressed. Its fields, with their lengths in bytes, are for gzip: level 4,
//! window 2, strategies 2; for zstd: level 4.

use crate::compression::Compression;
use crate::tables::{MISSING, Tables};

const SUPERBLOCK: usize = 96;
const NO_FRAGMENTS: u16 = 0x10;
const DUPLICATES: u16 = 0x40;
const EXPORTABLE: u16 = 0x80;
const NO_XATTRS: u16 = 0x200;
const OPTIONS: u16 = 0x400;

/// The values of a superblock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Superblock {
    pub(super) compression: Compression,
    pub(super) block_size: u32,
    pub(super) time: u32,
    pub(super) inodes: u32,
    pub(super) fragments: u32,
    pub(super) ids: u16,
    pub(super) root: u64,
    pub(super) used: u64,
    pub(super) tables: Tables,
}

/// The options of the compression, as they follow the superblock.
fn options(compression: Compression) -> Vec<u8> {
    let bytes = match compression {
        Compression::Gzip(level) => [&level.to_le_bytes()[..], &[15, 0, 0, 0]].concat(),
        Compression::Zstd(level) => level.to_le_bytes().to_vec(),
    };
    let header = 1 << 15 | u16::try_from(bytes.len()).unwrap_or(0);
    [&header.to_le_bytes()[..], &bytes].concat()
}

/// The offset of the first block, in bytes.
pub(super) fn data_start(compression: Compression) -> u64 {
    (SUPERBLOCK + options(compression).len()) as u64
}

impl Superblock {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SUPERBLOCK);
        bytes.extend_from_slice(b"hsqs");
        for value in [self.inodes, self.time, self.block_size, self.fragments] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        let log = u16::try_from(self.block_size.trailing_zeros()).unwrap_or(0);
        for value in [self.compression.code(), log, self.flags(), self.ids, 4, 0] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        let Tables { ids, xattrs, inodes, directories, fragments, export } = self.tables;
        for value in [self.root, self.used, ids, xattrs, inodes, directories, fragments, export] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(&options(self.compression));
        bytes
    }

    fn flags(&self) -> u16 {
        let fragments = if self.tables.fragments == MISSING { NO_FRAGMENTS } else { 0 };
        let xattrs = if self.tables.xattrs == MISSING { NO_XATTRS } else { 0 };
        DUPLICATES | EXPORTABLE | OPTIONS | fragments | xattrs
    }
}
