//! Writes a squashfs in one pass: contents as they arrive, the tree at the end.
//!
//! ```text
//! ┌────────────┬─────────┬─────────────────────────────┬────────┬─────────────────┐
//! │ superblock │ options │ data blocks and fragments   │ tables │ zeros to 4 KiB  │
//! └────────────┴─────────┴─────────────────────────────┴────────┴─────────────────┘
//! ```
//!
//! - Files of at least one block have blocks of their own, one behind the other: [`pipeline`].
//!   A block of zeros has the size 0 in the file's list of blocks and is not stored.
//! - Smaller files share blocks: [`batch`] sorts them, [`packer`] packs them.
//! - Equal contents are stored once: [`contents`].
//! - Contents that no file of the final tree has are removed: [`repack`], [`compaction`].
//! - [`tables`] describes the tables, and [`superblock`] what leads to them.
//!
//! All numbers are little-endian. The format is described at
//! <https://dr-emann.github.io/squashfs/> and <https://docs.kernel.org/filesystems/squashfs.html>.

mod batch;
mod compaction;
mod contents;
mod directories;
mod error;
mod finish;
mod ids;
mod inodes;
mod live;
mod metadata;
mod order;
mod packer;
mod pipeline;
mod placer;
mod repack;
mod store;
mod superblock;
mod tables;
mod xattrs;

pub use error::Error;
pub use store::StoreError;

use crate::checksums::Checksums;
use crate::compression::Compression;
use crate::tree::{ContentId, Tree};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// The parameters of a new squashfs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The offset of the file system in the file, in bytes.
    pub offset: u64,
    /// The compression of blocks and tables.
    pub compression: Compression,
    /// The number of threads that compress; 1 to 32 are used, so that the memory is bounded.
    pub workers: usize,
    /// The size of a data block in bytes: a power of two from 4 KiB to 1 MiB.
    pub block_size: u32,
    /// The time of creation in the superblock, in seconds since 1970.
    pub time: u32,
}

/// The size of a data block that mksquashfs uses: 128 KiB.
pub const BLOCK_SIZE: u32 = 128 << 10;

/// A squashfs that is being written.
#[derive(Debug)]
pub struct Writer {
    file: Arc<File>,
    options: Options,
    store: store::Store,
}

/// A squashfs that is complete.
#[derive(Debug)]
pub struct Finished {
    /// The size in bytes, with zeros up to a multiple of 4096. The file ends there.
    pub size: u64,
    /// The checksums of the blocks and tables, to verify the file.
    pub checksums: Checksums,
    /// Statistics of the result.
    pub counts: Counts,
}

/// Statistics of a squashfs, in numbers and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Inodes in the tables.
    pub inodes: u32,
    /// Bytes of contents that were passed to [`Writer::store`].
    pub bytes_in: u64,
    /// Bytes of contents that were equal to an earlier one and not stored again.
    pub bytes_equal: u64,
    /// Compressed bytes that were removed at the end, because no file had them any more.
    pub bytes_removed: u64,
    /// Compressed bytes that were moved for it.
    pub bytes_moved: u64,
    /// Compressed bytes that no file has, but that were too few to be removed.
    pub bytes_dead: u64,
    /// Extended attributes that were left out: squashfs stores only `user`, `trusted` and
    /// `security`.
    pub xattrs_left_out: u64,
}

impl Writer {
    /// Begins a squashfs in `file`, which has to be open for reading and writing. Bytes of the
    /// file before `options.offset` stay as they are; bytes after it are overwritten.
    ///
    /// # Errors
    /// The block size is invalid, or a thread or the compression cannot be started.
    pub fn new(file: File, options: Options) -> Result<Self, Error> {
        let size = options.block_size;
        if !size.is_power_of_two() || !(4096..=1 << 20).contains(&size) {
            return Err(Error::BlockSize(size));
        }
        let file = Arc::new(file);
        let end = superblock::data_start(options.compression);
        let placed = placer::Placed { blocks: Vec::new(), end };
        let pipeline = pipeline::Pipeline::start(Arc::clone(&file), options, placed)?;
        let store = store::Store::new(packer::Packer::new(pipeline, size as usize), size as usize);
        Ok(Self { file, options, store })
    }

    /// Stores the next `size` bytes of `data` as the content of a file. `path` decides only which
    /// small files become neighbours. Returns `None` if `size` is 0. A content that is equal to an
    /// earlier one gets the same number and counts as one more use of it.
    ///
    /// # Errors
    /// `data` cannot be read or ends early ([`StoreError::Read`]), or the file system cannot be
    /// written; nothing more can be stored then.
    pub fn store(
        &mut self,
        path: &[u8],
        size: u64,
        data: &mut dyn Read,
    ) -> Result<Option<ContentId>, StoreError> {
        self.store.store(path, size, data)
    }

    /// Removes one use of a content: a file that had it was hidden. A content without any use is
    /// not written, if it is still waiting, and otherwise removed by [`Writer::finish`].
    pub fn forget(&mut self, content: ContentId) {
        self.store.forget(content);
    }

    /// The first 64 bytes of a content that begins like an ELF file: its header.
    #[must_use]
    pub fn head(&self, content: ContentId) -> Option<&[u8]> {
        self.store.contents.head(content)
    }

    /// The number of bytes of contents that were stored so far, before compression.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.store.bytes_in
    }

    /// Writes the tree and the superblock, and removes the contents that no file of the tree has.
    /// The data reaches the disk only when the file is synchronized.
    ///
    /// # Errors
    /// The tree has a name, owner, link or content that cannot be stored, or the file cannot be
    /// written or read back.
    pub fn finish(self, tree: &Tree) -> Result<Finished, Error> {
        finish::finish(self, tree)
    }
}
