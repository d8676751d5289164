//! Finds the data blocks of each file in the inode table.
//!
//! ```text
//! each inode begins with 16 bytes, the first two of which are its type; then, by type
//!  1 directory  16              8 with an index  24, and the names in it
//!  2 file       16, block list  9 large          40, block list
//!  3 link        8, its target 10 with attributes 8, its target, 4
//!  4, 5 device   8             11, 12            12
//!  6, 7 fifo, socket 4         13, 14             8
//! ```

use super::metadata::Metadata;
use super::{Damage, Squashfs, u16_at, u32_at, u64_at};

/// The fragment number of a file without a fragment.
const NO_FRAGMENT: u32 = u32::MAX;
/// The maximum accepted length of a name or link target in bytes. Paths on Linux are shorter.
const MAX_NAME_LENGTH: usize = 65536;
/// The number of block sizes that are read at once.
const SIZES_PER_READ: u64 = 1024;

/// A block of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    /// Offset in bytes from the superblock.
    pub(super) at: u64,
    /// The size as stored, including the bit that marks an uncompressed block.
    pub(super) size: u32,
    /// The decompressed length in bytes; `None` for a fragment block, whose length is not stored.
    pub(super) length: Option<usize>,
}

/// Calls `found` for each data block of each file.
pub(super) fn each(
    squashfs: &Squashfs,
    found: &mut dyn FnMut(Block) -> Result<(), Damage>,
) -> Result<(), Damage> {
    let (from, to) = (squashfs.tables.inodes, squashfs.tables.directories);
    let mut stream = Metadata::new(squashfs, from, to);
    for _ in 0..squashfs.inodes {
        inode(squashfs, &mut stream, found)?;
    }
    stream.finish()
}

fn inode(
    squashfs: &Squashfs,
    stream: &mut Metadata<'_>,
    found: &mut dyn FnMut(Block) -> Result<(), Damage>,
) -> Result<(), Damage> {
    let skip = |stream: &mut Metadata<'_>, length| stream.take(length).map(drop);
    match u16_at(&stream.take(16)?, 0) {
        1 => skip(stream, 16),
        2 => {
            let inode = stream.take(16)?;
            let (at, size) = (u32_at(&inode, 0).into(), u32_at(&inode, 12).into());
            file(squashfs, stream, (at, size, u32_at(&inode, 4)), found)
        }
        9 => {
            let inode = stream.take(40)?;
            let (at, size) = (u64_at(&inode, 0), u64_at(&inode, 8));
            file(squashfs, stream, (at, size, u32_at(&inode, 28)), found)
        }
        kind @ (3 | 10) => {
            let length = u32_at(&stream.take(8)?, 4) as usize;
            if length > MAX_NAME_LENGTH {
                return Err(wrong(squashfs, "a link that is too long"));
            }
            skip(stream, length + if kind == 10 { 4 } else { 0 })
        }
        4 | 5 | 13 | 14 => skip(stream, 8),
        6 | 7 => skip(stream, 4),
        8 => {
            let directory = stream.take(24)?;
            for _ in 0..u16_at(&directory, 16) {
                let name = u32_at(&stream.take(12)?, 8) as usize;
                if name > MAX_NAME_LENGTH {
                    return Err(wrong(squashfs, "a name that is too long"));
                }
                skip(stream, name + 1)?;
            }
            Ok(())
        }
        11 | 12 => skip(stream, 12),
        _ => Err(wrong(squashfs, "an inode of an unknown type")),
    }
}

fn wrong(squashfs: &Squashfs, problem: &str) -> Damage {
    Damage::at(squashfs.tables.inodes, problem)
}

fn file(
    squashfs: &Squashfs,
    stream: &mut Metadata<'_>,
    (mut at, size, fragment): (u64, u64, u32),
    found: &mut dyn FnMut(Block) -> Result<(), Damage>,
) -> Result<(), Damage> {
    let block = squashfs.block_size as u64;
    let count = if fragment == NO_FRAGMENT { size.div_ceil(block) } else { size / block };
    let mut left = size;
    let mut done = 0;
    while done < count {
        let now = SIZES_PER_READ.min(count - done);
        let sizes = stream.take(now as usize * 4)?;
        for size in sizes.chunks_exact(4).map(|size| u32_at(size, 0)) {
            let length = left.min(block);
            left -= length;
            // A block of zeros has a stored size of 0 and needs no data.
            if size != 0 {
                found(Block { at, size, length: Some(length as usize) })?;
                at = at.saturating_add(u64::from(size & !super::blocks::STORED));
            }
        }
        done += now;
    }
    Ok(())
}
