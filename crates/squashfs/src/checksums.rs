//! Checksums of what was written, for a check of the file afterwards.
//!
//! The writer computes the checksum of each block before it compresses the block. A check
//! decompresses the blocks of the file, in any order and on any number of threads, and compares.
//! It needs no inode for that.
//!
//! The checksum is XXH3 with 64 bits. It has to detect faults of memory, disk and code, not
//! attacks: whoever can change the file between writing and checking can also change the result of
//! the check. XXH3 costs a few microseconds for a block of 128 KiB, and misses a fault with a
//! probability of 1 in 2^64.

use twox_hash::XxHash3_64;

/// The bit of [`Block::size`] that marks an uncompressed block.
pub const STORED: u32 = 1 << 24;

/// The checksums of a squashfs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checksums {
    /// The data blocks and fragment blocks, sorted by offset. Blocks of zeros are not stored and
    /// have no entry.
    pub blocks: Vec<Block>,
    /// The tables.
    pub tables: Tables,
}

/// A data block or fragment block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The offset from the superblock in bytes.
    pub offset: u64,
    /// The stored size in bytes, with the bit [`STORED`] if the block is not compressed.
    pub size: u32,
    /// The [`checksum`] of the uncompressed bytes.
    pub checksum: u64,
}

/// All tables, from the inode table to the end of the used bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tables {
    /// The offset from the superblock in bytes.
    pub offset: u64,
    /// The stored size in bytes.
    pub size: u64,
    /// The [`checksum`] of the stored bytes: the metadata blocks are not decompressed for it.
    pub checksum: u64,
}

/// The checksum of these bytes.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}
