//! Checks that the squashfs in a SIF file is complete and readable.
//!
//! If mksquashfs is killed while a runtime writes an image, the runtime may report success
//! (<https://github.com/apptainer/apptainer/issues/3486>).

use sifcache_core::image::{self, State};
use sifcache_core::sif::descriptors::FileSystem;
use sifcache_squashfs::reader::Reader;
use std::fs::File;
use std::io;
use std::path::Path;

pub(crate) use sifcache_squashfs::reader::Damage;

/// Compares the superblock with the partition. Succeeds for an image with another file system and
/// for a file that is not an image, because there is nothing to compare.
///
/// # Errors
/// The superblock is invalid, the file system is cut short, or the file cannot be read.
pub(crate) fn check(path: &Path) -> Result<(), Damage> {
    open(path).map(drop)
}

/// Like [`check`], for an open image whose content is known.
///
/// # Errors
/// The superblock is invalid, the file system is cut short, or the file cannot be read.
pub(crate) fn check_open(file: File, content: &image::Content) -> Result<(), Damage> {
    match content.root.file_system {
        FileSystem::Squashfs => {
            Reader::open(file, content.root.offset, content.root.size).map(drop)
        }
        _ => Ok(()),
    }
}

/// Reads all metadata, and decompresses every block on all processors. `on_progress` is called from
/// time to time.
///
/// # Errors
/// The first defect that was found.
pub(crate) fn read(path: &Path, on_progress: &dyn Fn()) -> Result<(), Damage> {
    let mut on_progress = |_| {
        on_progress();
        Ok(())
    };
    match open(path)? {
        Some(reader) => reader.check_all(&mut on_progress),
        None => Ok(()),
    }
}

/// The squashfs in an image; `None` if there is none.
fn open(path: &Path) -> Result<Option<Reader>, Damage> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    match image::inspect(&mut file, size) {
        Ok(content) if content.root.file_system == FileSystem::Squashfs => {
            Reader::open(file, content.root.offset, content.root.size).map(Some)
        }
        Err(State::Failed(errno)) => Err(io::Error::from_raw_os_error(errno).into()),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
