//! Reads and checks a squashfs 4.0 in a part of a file.
//!
//! The file may be hostile: no content makes a function here panic, run forever, or allocate more memory
//! than [`Limits`] and a few blocks.
//!
//! Source of the format: <https://dr-emann.github.io/squashfs/> and the kernel's
//! `Documentation/filesystems/squashfs.rst`.

mod block;
mod budget;
mod bytes;
mod check;
mod codec;
mod content;
mod contents;
mod damage;
mod directory;
mod inode;
mod metadata;
mod superblock;
mod table;
mod tree;
mod verify;
mod walk;
mod workers;
mod xattrs;

pub use budget::Limits;
pub use content::Content;
pub use contents::Contents;
pub use damage::{Damage, Stopped};
pub use workers::OnProgress;

use budget::Budget;
use codec::Codec;
use content::Fragments;
use metadata::Metadata;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use superblock::Superblock;
use table::Table;

/// A squashfs in a part of a file.
#[derive(Debug)]
pub struct Reader {
    file: File,
    /// The offset of the superblock in the file in bytes.
    offset: u64,
    superblock: Superblock,
    limits: Limits,
    kept: Fragments,
}

impl Reader {
    /// Opens the squashfs at `offset` in a file, in a part of `size` bytes. Reads only the
    /// superblock.
    ///
    /// # Errors
    /// The superblock is invalid, the file system is truncated, or the file cannot be read.
    pub fn open(file: File, offset: u64, size: u64) -> Result<Self, Damage> {
        let mut bytes = [0; superblock::LENGTH];
        if size < superblock::LENGTH as u64 {
            return Err(Damage::NotSquashfs);
        }
        file.read_exact_at(&mut bytes, offset)?;
        let superblock = Superblock::parse(&bytes, size)?;
        Ok(Self { file, offset, superblock, limits: Limits::default(), kept: Fragments::default() })
    }

    /// Replaces the default limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The number of bytes in use, from the superblock. The rest of the partition is padding.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.superblock.used
    }

    /// The size of data blocks in bytes: 4 KiB to 1 MiB.
    #[must_use]
    pub fn block_size(&self) -> usize {
        self.superblock.block_size
    }

    /// Reads `length` bytes at an offset, all of which must be within the bytes in use.
    fn bytes(&self, at: u64, length: usize) -> Result<Vec<u8>, Damage> {
        let mut bytes = Vec::new();
        self.read(at, length, &mut bytes)?;
        Ok(bytes)
    }

    /// Like [`Self::bytes`], into a buffer.
    fn read(&self, at: u64, length: usize, to: &mut Vec<u8>) -> Result<(), Damage> {
        let end = at.checked_add(length as u64);
        if end.is_none_or(|end| end > self.superblock.used) {
            return Err(Damage::at(at, "it is outside the used bytes"));
        }
        to.resize(length, 0);
        self.file.read_exact_at(to, self.offset.saturating_add(at))?;
        Ok(())
    }

    /// # Errors
    /// If the compression is not supported.
    fn supported(&self) -> Result<(), Damage> {
        match self.superblock.codec {
            Codec::Other(name) => Err(Damage::Unsupported(name)),
            _ => Ok(()),
        }
    }

    fn budget(&self) -> Budget {
        Budget::new(self.limits)
    }

    fn ids(&self) -> Table {
        Table::new(self.superblock.tables.ids, self.superblock.ids, 4)
    }

    fn fragments(&self) -> Table {
        Table::new(self.superblock.tables.fragments, self.superblock.fragments, 16)
    }

    fn export(&self) -> Table {
        Table::new(self.superblock.tables.export, self.superblock.inodes, 8)
    }

    /// The offset of the first byte after the table of directories. No field has it: it is the
    /// start of the table that follows, whichever that is.
    fn end_of_directories(&self, metadata: &Metadata<'_>) -> Result<u64, Damage> {
        let tables = &self.superblock.tables;
        let [fragments, export, ids] =
            [self.fragments(), self.export(), self.ids()].map(|table| table.first(metadata));
        let ends = [fragments?, export?, ids?, Some(tables.ids)].into_iter().flatten();
        let ends = ends.filter(|end| *end >= tables.directories);
        Ok(ends.min().unwrap_or(tables.directories))
    }
}
