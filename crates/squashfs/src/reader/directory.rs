//! Reads the names in a directory.
//!
//! ```text
//! header, before each run of up to 256 names whose inodes are in one metadata block:
//!   0  number of names - 1    4  offset of that block in the inode table   8  an inode number
//! name:
//!   0  offset of its inode in the block, 16 bit       2  its inode number - that of the header
//!   4  type, 16 bit    6  length of the name - 1, 16 bit    8  the name
//! ```
//!
//! The names are sorted by bytes over the whole directory.

use super::Damage;
use super::bytes::{u16_at, u32_at};
use super::metadata::Stream;

/// The maximum number of names after a header.
const RUN: u32 = 256;
/// The maximum length of a name in bytes.
const LONGEST: usize = 256;

/// A name in a directory.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Box<[u8]>,
    /// The reference of its inode.
    pub(super) inode: u64,
    /// The number of its inode, modulo 2^32.
    pub(super) number: u32,
    /// The type of its inode: 1 to 7.
    pub(super) kind: u16,
}

/// Reads names of `length` bytes together, and calls `found` for each.
pub(super) fn each(
    stream: &mut Stream<'_>,
    length: u32,
    mut found: impl FnMut(Entry) -> Result<(), Damage>,
) -> Result<(), Damage> {
    let (mut left, mut last) = (length as usize, Box::<[u8]>::default());
    while left > 0 {
        let header: [u8; 12] = stream.array()?;
        let run = u32_at(&header, 0).saturating_add(1);
        if run > RUN {
            return Err(Damage::at(stream.here(), "a directory with too many names in a row"));
        }
        left = less(stream, left, 12)?;
        for _ in 0..run {
            let entry: [u8; 8] = stream.array()?;
            let size = usize::from(u16_at(&entry, 6)) + 1;
            left = less(stream, left, 8 + size)?;
            let name = name(stream, size, &last)?;
            last.clone_from(&name);
            let number = i32::from(u16_at(&entry, 2).cast_signed());
            found(Entry {
                name,
                inode: u64::from(u32_at(&header, 4)) << 16 | u64::from(u16_at(&entry, 0)),
                number: u32_at(&header, 8).wrapping_add_signed(number),
                kind: u16_at(&entry, 4),
            })?;
        }
    }
    Ok(())
}

fn less(stream: &Stream<'_>, left: usize, taken: usize) -> Result<usize, Damage> {
    left.checked_sub(taken)
        .ok_or_else(|| Damage::at(stream.here(), "a directory that ends in the middle of a name"))
}

/// Reads a name, which must be after `last`.
fn name(stream: &mut Stream<'_>, size: usize, last: &[u8]) -> Result<Box<[u8]>, Damage> {
    let at = stream.here();
    if size > LONGEST {
        return Err(Damage::at(at, "a name that is too long"));
    }
    let name = stream.take(size)?;
    let is_special = matches!(name.as_slice(), b"." | b"..");
    if is_special || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
        let name = name.escape_ascii();
        return Err(Damage::at(at, format!("the name \"{name}\", which no file may have")));
    }
    if name.as_slice() <= last {
        let name = name.escape_ascii();
        return Err(Damage::at(at, format!("the name \"{name}\" in the wrong place")));
    }
    Ok(name.into())
}
