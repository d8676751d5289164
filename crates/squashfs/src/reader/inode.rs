//! Reads inodes.
//!
//! ```text
//! each inode begins with 16 bytes: type, mode, numbers of user and group in the table of ids (16
//! bit each), modification time, number of the inode; then, by type
//!  1 directory  16              8 with an index  24, and the names in it
//!  2 file       16, block list  9 large          40, block list
//!  3 link        8, its target 10 with attributes 8, its target, 4
//!  4, 5 device   8             11, 12            12
//!  6, 7 fifo, socket 4         13, 14             8
//! ```

use super::Damage;
use super::budget::Budget;
use super::bytes::{u16_at, u32_at, u64_at};
use super::metadata::Stream;

/// The fragment number of a file without a fragment.
const NO_FRAGMENT: u32 = u32::MAX;
/// The number of an inode's extended attributes if it has none.
const NO_XATTRS: u32 = u32::MAX;
/// The maximum accepted length of a name or link target in bytes. Paths on Linux are shorter.
const MAX_NAME_LENGTH: usize = 65536;
/// The number of block sizes that are read at once.
const SIZES_PER_READ: u64 = 1024;
/// The difference between the type of a large inode and of the same inode without the rare fields.
const LARGE: u16 = 7;

/// An inode as it is stored.
#[derive(Debug)]
pub(super) struct Inode {
    /// Its type: 1 to 7, also for a large inode.
    pub(super) kind: u16,
    pub(super) mode: u16,
    /// Numbers of the owner and the group in the table of ids.
    pub(super) user: u16,
    pub(super) group: u16,
    pub(super) mtime: u32,
    pub(super) number: u32,
    /// The number in the table of extended attributes.
    pub(super) xattrs: Option<u32>,
    pub(super) body: Body,
    /// The offset of the block with its start, for messages.
    pub(super) at: u64,
}

/// The fields of each type.
#[derive(Debug)]
pub(super) enum Body {
    Directory {
        /// The reference of its names in the table of directories.
        names: u64,
        /// The length of its names in bytes.
        length: u32,
    },
    File(File),
    Symlink(Vec<u8>),
    /// A device with its number as stored.
    Device(u32),
    /// A named pipe or a socket.
    Other,
}

/// A regular file.
#[derive(Debug)]
pub(super) struct File {
    /// The offset of its first block from the superblock in bytes.
    pub(super) start: u64,
    /// Its size in bytes.
    pub(super) size: u64,
    /// The number of the fragment block with its end, and the offset there in bytes.
    pub(super) fragment: Option<(u32, u32)>,
    /// The stored sizes of its blocks.
    pub(super) sizes: Vec<u32>,
}

impl Inode {
    /// Reads the inode at the position of the stream.
    pub(super) fn read(
        stream: &mut Stream<'_>,
        block_size: usize,
        budget: &mut Budget,
    ) -> Result<Self, Damage> {
        let start: [u8; 16] = stream.array()?;
        let at = stream.here();
        let kind = u16_at(&start, 0);
        let (body, xattrs) = body(stream, kind, block_size, budget)?;
        Ok(Self {
            kind: if kind > LARGE { kind - LARGE } else { kind },
            mode: u16_at(&start, 2),
            user: u16_at(&start, 4),
            group: u16_at(&start, 6),
            mtime: u32_at(&start, 8),
            number: u32_at(&start, 12),
            xattrs: (xattrs != NO_XATTRS).then_some(xattrs),
            body,
            at,
        })
    }
}

/// The fields of a type, and the number of the extended attributes.
fn body(
    stream: &mut Stream<'_>,
    kind: u16,
    block_size: usize,
    budget: &mut Budget,
) -> Result<(Body, u32), Damage> {
    let at = stream.here();
    Ok(match kind {
        1 => (short_directory(stream)?, NO_XATTRS),
        8 => directory(stream, at)?,
        2 => {
            let inode: [u8; 16] = stream.array()?;
            let (start, size) = (u32_at(&inode, 0).into(), u32_at(&inode, 12).into());
            let fragment = (u32_at(&inode, 4), u32_at(&inode, 8));
            (file(stream, (start, size), fragment, block_size, budget)?, NO_XATTRS)
        }
        9 => {
            let inode: [u8; 40] = stream.array()?;
            let (start, size) = (u64_at(&inode, 0), u64_at(&inode, 8));
            let fragment = (u32_at(&inode, 28), u32_at(&inode, 32));
            let body = file(stream, (start, size), fragment, block_size, budget)?;
            (body, u32_at(&inode, 36))
        }
        3 | 10 => {
            let body = link(stream, at, budget)?;
            (body, if kind > LARGE { word(stream)? } else { NO_XATTRS })
        }
        4 | 5 | 11 | 12 => {
            let inode: [u8; 8] = stream.array()?;
            let xattrs = if kind > LARGE { word(stream)? } else { NO_XATTRS };
            (Body::Device(u32_at(&inode, 4)), xattrs)
        }
        6 | 7 => stream.skip(4).map(|()| (Body::Other, NO_XATTRS))?,
        13 | 14 => (Body::Other, u32_at(&stream.array::<8>()?, 4)),
        _ => return Err(Damage::at(at, "an inode of an unknown type")),
    })
}

fn word(stream: &mut Stream<'_>) -> Result<u32, Damage> {
    stream.array().map(u32::from_le_bytes)
}

fn short_directory(stream: &mut Stream<'_>) -> Result<Body, Damage> {
    let inode: [u8; 16] = stream.array()?;
    let names = names(u32_at(&inode, 0), u16_at(&inode, 10));
    Ok(Body::Directory { names, length: length_of_names(u16_at(&inode, 8).into()) })
}

/// Reads a directory with an index. The index is only skipped: it is for lookups of single names.
fn directory(stream: &mut Stream<'_>, at: u64) -> Result<(Body, u32), Damage> {
    let inode: [u8; 24] = stream.array()?;
    for _ in 0..u16_at(&inode, 16) {
        let name = u32_at(&stream.array::<12>()?, 8) as usize;
        if name > MAX_NAME_LENGTH {
            return Err(Damage::at(at, "a name that is too long"));
        }
        stream.skip(name + 1)?;
    }
    let names = names(u32_at(&inode, 8), u16_at(&inode, 18));
    let length = length_of_names(u32_at(&inode, 4));
    Ok((Body::Directory { names, length }, u32_at(&inode, 20)))
}

fn names(block: u32, offset: u16) -> u64 {
    u64::from(block) << 16 | u64::from(offset)
}

/// The stored length counts `.` and `..`, which are not stored, as 3 bytes.
fn length_of_names(stored: u32) -> u32 {
    stored.saturating_sub(3)
}

fn link(stream: &mut Stream<'_>, at: u64, budget: &mut Budget) -> Result<Body, Damage> {
    let length = u32_at(&stream.array::<8>()?, 4) as usize;
    if length > MAX_NAME_LENGTH {
        return Err(Damage::at(at, "a link that is too long"));
    }
    budget.take(at, length)?;
    stream.take(length).map(Body::Symlink)
}

fn file(
    stream: &mut Stream<'_>,
    (start, size): (u64, u64),
    (fragment, offset): (u32, u32),
    block_size: usize,
    budget: &mut Budget,
) -> Result<Body, Damage> {
    let block = block_size as u64;
    // A file of whole blocks has no end in a fragment block, whatever its inode says.
    let has_end = fragment != NO_FRAGMENT && size % block != 0;
    let fragment = has_end.then_some((fragment, offset));
    let count = if has_end { size / block } else { size.div_ceil(block) };
    let (mut left, mut sizes) = (count, Vec::new());
    while left > 0 {
        let now = SIZES_PER_READ.min(left);
        left -= now;
        let bytes = stream.take(now as usize * 4)?;
        budget.take(stream.here(), bytes.len())?;
        sizes.extend(bytes.chunks_exact(4).map(|size| u32_at(size, 0)));
    }
    Ok(Body::File(File { start, size, fragment, sizes }))
}
