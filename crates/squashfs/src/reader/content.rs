//! Reads the content of a regular file.

use super::block::{Block, BlockReader, Length};
use super::contents::{Contents, Fragment, Place};
use super::{Damage, Reader};
use crate::tree::ContentId;
use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of fragment blocks that are kept. Small files of one directory are in the same few.
const KEPT: usize = 4;

/// Zeros of sparse blocks.
static ZEROS: [u8; 4096] = [0; 4096];

/// Fragment blocks that were read lately, the newest last.
#[derive(Debug, Default)]
pub(super) struct Fragments(Mutex<Vec<(Block, Arc<Vec<u8>>)>>);

/// The content of a file as a stream of bytes.
pub struct Content<'a> {
    reader: &'a Reader,
    place: Place,
    /// The stored sizes of the blocks that are left.
    sizes: &'a [u32],
    /// The offset of the next block.
    at: u64,
    /// The number of bytes in the blocks that are left.
    left: u64,
    /// Reads the blocks. Most small files are in fragment blocks that were read before.
    blocks: Option<BlockReader<'a>>,
    now: Now,
    /// The number of bytes of the current block that have been returned.
    taken: usize,
}

/// Without the data of blocks.
impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, at, left, taken, .. } = self;
        let mut text = f.debug_struct("Content");
        text.field("place", place).field("at", at).field("left", left).field("taken", taken);
        text.finish_non_exhaustive()
    }
}

/// The current block of a content.
enum Now {
    /// The block that was read last.
    Block,
    /// This many zeros.
    Zeros(usize),
    /// A fragment block, up to this offset.
    Fragment(Arc<Vec<u8>>, usize),
}

impl Reader {
    /// Reads a content. The contents are those that [`Self::tree`] returned. An error of the
    /// returned stream contains the [`Damage`].
    ///
    /// # Errors
    /// If there is no such content.
    pub fn content<'a>(
        &'a self,
        contents: &'a Contents,
        id: ContentId,
    ) -> Result<Content<'a>, Damage> {
        let (place, sizes) = contents.get(id).ok_or_else(|| Damage::at(0, "no such content"))?;
        let (at, left, now) = (place.start, place.size, Now::Zeros(0));
        Ok(Content { reader: self, place, sizes, at, left, blocks: None, now, taken: 0 })
    }

    /// Reads a fragment block, or takes it from those that were read lately.
    fn fragment(&self, fragment: Fragment) -> Result<Arc<Vec<u8>>, Damage> {
        let block = Block { at: fragment.at, size: fragment.size, length: Length::AtLeast(0) };
        if let Some(bytes) = self.kept.get(block) {
            return Ok(bytes);
        }
        let mut blocks = BlockReader::new(self)?;
        blocks.read(block)?;
        let bytes = Arc::new(blocks.bytes);
        self.kept.put(block, &bytes);
        Ok(bytes)
    }
}

impl Read for Content<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.rest().is_empty() && self.left > 0 {
            self.next()?;
        }
        let length = self.rest().read(to)?;
        self.taken += length;
        Ok(length)
    }
}

impl Content<'_> {
    /// The next bytes that are in memory.
    fn rest(&self) -> &[u8] {
        match &self.now {
            Now::Zeros(length) => {
                let left = length.saturating_sub(self.taken);
                ZEROS.get(..left).unwrap_or(&ZEROS)
            }
            Now::Block => {
                let bytes = self.blocks.as_ref().map_or(&[] as &[u8], |blocks| &blocks.bytes);
                bytes.get(self.taken..).unwrap_or_default()
            }
            Now::Fragment(bytes, end) => {
                bytes.get(..*end).and_then(|part| part.get(self.taken..)).unwrap_or_default()
            }
        }
    }

    /// Proceeds to the next block.
    fn next(&mut self) -> Result<(), Damage> {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX);
        let length = length.min(self.reader.superblock.block_size);
        self.left -= length as u64;
        self.taken = 0;
        let Some((&size, rest)) = self.sizes.split_first() else {
            return self.end(length);
        };
        self.sizes = rest;
        if size == 0 {
            self.now = Now::Zeros(length);
            return Ok(());
        }
        let block = Block { at: self.at, size, length: Length::Exactly(length as u32) };
        self.at = self.at.saturating_add(block.stored_size());
        let blocks = match self.blocks.take() {
            Some(blocks) => blocks,
            None => BlockReader::new(self.reader)?,
        };
        self.now = Now::Block;
        self.blocks.insert(blocks).read(block)
    }

    /// Proceeds to the part of a fragment block.
    fn end(&mut self, length: usize) -> Result<(), Damage> {
        let Some(fragment) = self.place.fragment else {
            return Err(Damage::at(self.at, "a file without an end"));
        };
        let bytes = self.reader.fragment(fragment)?;
        let start = fragment.offset as usize;
        let end = start.saturating_add(length);
        if bytes.len() < end {
            return Err(Damage::at(fragment.at, "a fragment block that is too short for a file"));
        }
        (self.now, self.taken) = (Now::Fragment(bytes, end), start);
        Ok(())
    }
}

impl Fragments {
    fn lock(&self) -> MutexGuard<'_, Vec<(Block, Arc<Vec<u8>>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, block: Block) -> Option<Arc<Vec<u8>>> {
        let kept = self.lock();
        kept.iter().find(|(other, _)| *other == block).map(|(_, bytes)| Arc::clone(bytes))
    }

    fn put(&self, block: Block, bytes: &Arc<Vec<u8>>) {
        let mut kept = self.lock();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((block, Arc::clone(bytes)));
    }
}
