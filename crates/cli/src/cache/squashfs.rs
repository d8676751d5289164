//! Checks that the squashfs in a SIF file is complete and readable.
//!
//! ```text
//! superblock, 96 bytes, little-endian
//!  0  magic "hsqs"     12  block size       16  number of fragments   20  compression, 16 bit
//! 26  number of ids    28  major version    40  bytes used
//! 48  tables: ids, 56 extended attributes, 64 inodes, 72 directories, 80 fragments, 88 export
//! ```
//!
//! If mksquashfs is killed while a runtime writes an image, the runtime may report success
//! (<https://github.com/apptainer/apptainer/issues/3486>).

mod blocks;
mod compression;
mod inodes;
mod metadata;

use compression::Compression;
use sifcache_core::image::{self, State};
use sifcache_core::sif::descriptors::{FileSystem, RootFileSystem};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const SUPERBLOCK: usize = 96;

/// A defect of a squashfs.
#[derive(Debug)]
pub(crate) enum Damage {
    /// The root file system is not squashfs 4.0.
    NotSquashfs,
    /// The file system is truncated: according to its superblock, it is larger than its partition.
    Short {
        /// The size of the partition in bytes.
        size: u64,
        /// The size of the file system in bytes, from its superblock.
        used: u64,
    },
    /// The data at this offset, in bytes from the start of the file system, is invalid.
    At(u64, String),
    /// This compression is not supported, so the blocks cannot be checked.
    Unsupported(&'static str),
    /// The file cannot be read.
    Io(io::Error),
}

impl Damage {
    fn at(at: u64, why: impl fmt::Display) -> Self {
        Self::At(at, why.to_string())
    }
}

impl std::error::Error for Damage {}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSquashfs => f.write_str("its root file system is not squashfs 4.0"),
            Self::Short { size, used } => {
                write!(f, "its root file system is cut short: {size} of {used} bytes")
            }
            Self::At(at, why) => {
                write!(f, "its root file system is damaged at byte {at}: {why}")
            }
            Self::Unsupported(name) => {
                write!(f, "its root file system is compressed with {name}, which is not checked")
            }
            Self::Io(error) => write!(f, "its root file system cannot be read: {error}"),
        }
    }
}

impl From<io::Error> for Damage {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A squashfs in a partition of a file, with the values of its superblock.
#[derive(Debug)]
struct Squashfs {
    file: File,
    /// The offset of the partition in the file, in bytes.
    offset: u64,
    used: u64,
    block_size: usize,
    compression: Compression,
    inodes: u32,
    fragments: u32,
    ids: u16,
    tables: Tables,
}

/// The offset of each table from the superblock, in bytes; all bits are set if the table is
/// missing.
#[derive(Debug)]
struct Tables {
    ids: u64,
    xattrs: u64,
    inodes: u64,
    directories: u64,
    fragments: u64,
    export: u64,
}

/// Compares the superblock with the partition. Succeeds for an image with another file system and
/// for a file that is not an image, because there is nothing to compare.
///
/// # Errors
/// If the superblock is invalid, the file system is cut short, or the file cannot be read.
pub(crate) fn check(path: &Path) -> Result<(), Damage> {
    Squashfs::open(path).map(drop)
}

/// Decompresses every block on all processors. `on_progress` is called from time to time.
///
/// # Errors
/// The first defect that was found.
pub(crate) fn read(path: &Path, on_progress: &dyn Fn()) -> Result<(), Damage> {
    match Squashfs::open(path)? {
        Some(squashfs) => squashfs.read(on_progress),
        None => Ok(()),
    }
}

impl Squashfs {
    fn open(path: &Path) -> Result<Option<Self>, Damage> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        match image::inspect(&mut file, size) {
            Ok(content) if content.root.file_system == FileSystem::Squashfs => {
                Self::parse(file, content.root).map(Some)
            }
            Err(State::Failed(errno)) => Err(io::Error::from_raw_os_error(errno).into()),
            _ => Ok(None),
        }
    }

    fn parse(file: File, root: RootFileSystem) -> Result<Self, Damage> {
        let mut bytes = [0; SUPERBLOCK];
        if root.size < SUPERBLOCK as u64 {
            return Err(Damage::NotSquashfs);
        }
        file.read_exact_at(&mut bytes, root.offset)?;
        let (short, long, wide) =
            (|at| u16_at(&bytes, at), |at| u32_at(&bytes, at), |at| u64_at(&bytes, at));
        let block_size = long(12);
        let is_size = block_size.is_power_of_two() && (4 << 10..=1 << 20).contains(&block_size);
        if !bytes.starts_with(b"hsqs") || short(28) != 4 || !is_size {
            return Err(Damage::NotSquashfs);
        }
        let used = wide(40);
        if used > root.size {
            return Err(Damage::Short { size: root.size, used });
        }
        Ok(Self {
            file,
            offset: root.offset,
            used,
            block_size: block_size as usize,
            compression: Compression::new(short(20)),
            inodes: long(4),
            fragments: long(16),
            ids: short(26),
            tables: Tables {
                ids: wide(48),
                xattrs: wide(56),
                inodes: wide(64),
                directories: wide(72),
                fragments: wide(80),
                export: wide(88),
            },
        })
    }

    /// Reads `length` bytes at an offset, all of which must be within the bytes in use.
    fn bytes(&self, at: u64, length: usize) -> Result<Vec<u8>, Damage> {
        let end = at.checked_add(length as u64);
        if end.is_none_or(|end| end > self.used) {
            return Err(Damage::at(at, "it is outside the used bytes"));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, self.offset.saturating_add(at))?;
        Ok(bytes)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |two| u16::from_le_bytes(*two))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |four| u32::from_le_bytes(*four))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |eight| u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests;
