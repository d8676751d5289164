//! Defects of a squashfs.

use std::fmt;
use std::io;

/// A defect of a squashfs, or the reason why it was not read to its end.
#[derive(Debug)]
pub enum Damage {
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
    /// The caller's progress callback asked to stop. This is not a defect.
    Stopped,
}

/// Returned by a progress callback to stop the work, for example after a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl Damage {
    pub(super) fn at(at: u64, why: impl fmt::Display) -> Self {
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
            Self::Stopped => f.write_str("the check of its root file system was stopped"),
        }
    }
}

impl From<io::Error> for Damage {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Stopped> for Damage {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<Damage> for io::Error {
    /// A read error stays what it is; every other defect is invalid data.
    fn from(damage: Damage) -> Self {
        match damage {
            Damage::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}
