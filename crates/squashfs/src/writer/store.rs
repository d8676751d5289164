//! Accepts contents and decides where each one is stored.
//!
//! ```text
//! size           below a block             up to 8 MiB               above
//! held           whole, until packed       whole, until hashed       a block
//! equal to one   found before it is        found before it is        found at its end: its blocks
//! stored before  written                   written                   are removed later
//! ```

use super::batch::{Batch, Entry};
use super::contents::{Contents, Place};
use super::error::Error;
use super::packer::Packer;
use crate::tree::ContentId;
use blake3::Hasher;
use std::io::{self, Read};

/// The size up to which a content is held in memory until its hash is known, in bytes.
const HELD: u64 = 8 << 20;

/// Why a content could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The content cannot be read, or ends before its size.
    #[error("the content cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The file system cannot be written.
    #[error(transparent)]
    Write(#[from] Error),
}

/// The contents, and the ones that are not written yet.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) contents: Contents,
    batch: Batch,
    /// `None` after an error.
    packer: Option<Packer>,
    block_size: usize,
    /// Empty buffers of one block each.
    spare: Vec<Vec<u8>>,
    pub(super) bytes_in: u64,
    pub(super) bytes_equal: u64,
}

impl Store {
    pub(super) fn new(packer: Packer, block_size: usize) -> Self {
        let (contents, batch, spare) = (Contents::default(), Batch::new(block_size), Vec::new());
        let packer = Some(packer);
        Self { contents, batch, packer, block_size, spare, bytes_in: 0, bytes_equal: 0 }
    }

    pub(super) fn store(
        &mut self,
        path: &[u8],
        size: u64,
        data: &mut dyn Read,
    ) -> Result<Option<ContentId>, StoreError> {
        let id = match size {
            0 => return Ok(None),
            _ if size < self.block_size as u64 => self.small(path, size, data)?,
            _ if size <= HELD => self.held(size, data)?,
            _ => self.large(size, data)?,
        };
        self.bytes_in += size;
        Ok(Some(id))
    }

    fn reuse(&mut self, hash: &[u8; 32], size: u64) -> Option<ContentId> {
        let id = self.contents.reuse(hash)?;
        self.bytes_equal += size;
        Some(id)
    }

    fn small(
        &mut self,
        path: &[u8],
        size: u64,
        data: &mut dyn Read,
    ) -> Result<ContentId, StoreError> {
        let mut bytes = Vec::new();
        read(data, size, &mut bytes)?;
        let hash = blake3::hash(&bytes).into();
        if let Some(id) = self.reuse(&hash, size) {
            return Ok(id);
        }
        if bytes.iter().all(|byte| *byte == 0) {
            // As a block it is not stored at all, and a fragment of zeros must not exist.
            let first = self.submit(&mut bytes)?;
            let id = self.contents.add(hash, size, Place::Blocks(first, first + 1), &[]);
            return Ok(id.ok_or(Error::TooMany("contents"))?);
        }
        let content = self.contents.next().ok_or(Error::TooMany("contents"))?;
        let head =
            bytes.first_chunk::<64>().map_or(bytes.as_slice(), <[u8; 64]>::as_slice).to_vec();
        let data = bytes.into_boxed_slice();
        let index = self.batch.add(Entry { content, path: path.into(), data, hash });
        let index = u32::try_from(index).map_err(|_| Error::TooMany("small files"))?;
        let id = self.contents.add(hash, size, Place::Waiting(index), &head);
        if self.batch.is_full() {
            self.pack()?;
        }
        Ok(id.ok_or(Error::TooMany("contents"))?)
    }

    /// A content whose hash is known before any block is compressed.
    fn held(&mut self, size: u64, data: &mut dyn Read) -> Result<ContentId, StoreError> {
        let (mut blocks, mut hash) = (Vec::new(), Hasher::new());
        let mut left = size;
        while left > 0 {
            let mut block = self.spare.pop().unwrap_or_default();
            let now = left.min(self.block_size as u64);
            read(data, now, &mut block)?;
            hash.update(&block);
            blocks.push(block);
            left -= now;
        }
        let hash = hash.finalize().into();
        if let Some(id) = self.reuse(&hash, size) {
            self.spare.append(&mut blocks);
            return Ok(id);
        }
        let head = blocks.first().map(|block| block.iter().copied().take(64).collect());
        let head: Vec<u8> = head.unwrap_or_default();
        let first = self.next_block()?;
        for mut block in blocks {
            self.submit(&mut block)?;
            self.spare.push(block);
        }
        let place = Place::Blocks(first, self.next_block()?);
        Ok(self.contents.add(hash, size, place, &head).ok_or(Error::TooMany("contents"))?)
    }

    /// A content that is compressed while it arrives.
    fn large(&mut self, size: u64, data: &mut dyn Read) -> Result<ContentId, StoreError> {
        let mut hash = Hasher::new();
        let mut block = self.spare.pop().unwrap_or_default();
        let first = self.next_block()?;
        let (mut head, mut left) = (Vec::new(), size);
        while left > 0 {
            let now = left.min(self.block_size as u64);
            read(data, now, &mut block)?;
            hash.update(&block);
            if head.is_empty() {
                head.extend(block.iter().take(64));
            }
            self.submit(&mut block)?;
            left -= now;
        }
        self.spare.push(block);
        let place = Place::Blocks(first, self.next_block()?);
        let hash = hash.finalize().into();
        match self.reuse(&hash, size) {
            Some(id) => Ok(id),
            None => {
                Ok(self.contents.add(hash, size, place, &head).ok_or(Error::TooMany("contents"))?)
            }
        }
    }

    pub(super) fn forget(&mut self, content: ContentId) {
        let entry =
            self.contents.release(content).and_then(|index| self.batch.remove(index as usize));
        if let Some(entry) = entry {
            self.contents.drop_hash(&entry.hash);
        }
    }

    /// Packs the small files that wait.
    fn pack(&mut self) -> Result<(), Error> {
        let Self { contents, batch, packer, .. } = self;
        let result = packer.as_mut().ok_or(Error::Thread).and_then(|packer| {
            let mut entries = batch.take();
            entries.try_for_each(|entry| packer.add(entry.content, &entry.data, contents))?;
            packer.flush(contents)
        });
        result.map_err(|error| self.cause(error))
    }

    fn submit(&mut self, block: &mut Vec<u8>) -> Result<u32, Error> {
        let packer = self.packer.as_mut().ok_or(Error::Thread)?;
        packer.pipeline.submit(block).map_err(|error| self.cause(error))
    }

    fn next_block(&self) -> Result<u32, Error> {
        self.packer.as_ref().map(|packer| packer.pipeline.next()).ok_or(Error::Thread)
    }

    /// The error of the thread that ended early, if one did.
    fn cause(&mut self, error: Error) -> Error {
        match (error, self.packer.take()) {
            (Error::Thread, Some(packer)) => {
                packer.pipeline.finish().err().unwrap_or(Error::Thread)
            }
            (error, _) => error,
        }
    }

    /// Packs what is left and ends the threads.
    ///
    /// # Errors
    /// A block could not be written.
    pub(super) fn finish(&mut self) -> Result<super::placer::Placed, Error> {
        self.pack()?;
        self.packer.take().ok_or(Error::Thread)?.pipeline.finish()
    }
}

/// Reads `size` bytes, at most one block, into an empty buffer.
fn read(data: &mut dyn Read, size: u64, into: &mut Vec<u8>) -> Result<(), StoreError> {
    into.clear();
    into.reserve_exact(usize::try_from(size).unwrap_or(0));
    match data.take(size).read_to_end(into) {
        Ok(length) if length as u64 == size => Ok(()),
        Ok(length) => {
            let message = format!("it ends after {length} of {size} bytes");
            Err(StoreError::Read(io::Error::new(io::ErrorKind::UnexpectedEof, message)))
        }
        Err(error) => Err(StoreError::Read(error)),
    }
}
