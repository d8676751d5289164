//! Reads metadata: blocks of at most 8 KiB, each preceded by its length, that form one stream.

use super::bytes::u16_at;
use super::codec::Decoder;
use super::{Damage, Reader};
use std::cell::RefCell;
use std::rc::Rc;

/// The decompressed length of a block in bytes; the last block may be shorter.
pub(super) const BLOCK: usize = 8192;
/// The bit in the length of a block that marks it as uncompressed.
const STORED: u16 = 0x8000;
/// The number of blocks that are kept, a power of two. Names and inodes of one directory are close
/// together, so few are enough.
const KEPT: usize = 128;

/// Reads blocks of metadata, and keeps those that were read lately.
pub(super) struct Metadata<'a> {
    reader: &'a Reader,
    decoder: RefCell<Decoder>,
    kept: RefCell<Vec<Option<Rc<Block>>>>,
}

/// A decompressed block.
#[derive(Debug)]
pub(super) struct Block {
    /// The offset from the superblock in bytes.
    pub(super) at: u64,
    /// The offset of the block that follows it.
    next: u64,
    pub(super) bytes: Vec<u8>,
}

impl<'a> Metadata<'a> {
    /// # Errors
    /// If there is no memory for a decompressor.
    pub(super) fn new(reader: &'a Reader) -> Result<Self, Damage> {
        let decoder = RefCell::new(Decoder::new(reader.superblock.codec)?);
        Ok(Self { reader, decoder, kept: RefCell::new(vec![None; KEPT]) })
    }

    /// The reader of the file system.
    pub(super) fn reader(&self) -> &'a Reader {
        self.reader
    }

    /// The block at an offset from the superblock.
    pub(super) fn block(&self, at: u64) -> Result<Rc<Block>, Damage> {
        // Offsets of blocks have no pattern in their low bits; the multiplication mixes the others.
        let slot = (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57) as usize % KEPT;
        if let Some(Some(block)) = self.kept.borrow().get(slot)
            && block.at == at
        {
            return Ok(Rc::clone(block));
        }
        let block = Rc::new(self.read(at)?);
        if let Some(kept) = self.kept.borrow_mut().get_mut(slot) {
            *kept = Some(Rc::clone(&block));
        }
        Ok(block)
    }

    fn read(&self, at: u64) -> Result<Block, Damage> {
        let length = u16_at(&self.reader.bytes(at, 2)?, 0);
        let size = usize::from(length & !STORED);
        let mut bytes = self.reader.bytes(at.saturating_add(2), size)?;
        if length & STORED == 0 {
            let stored = std::mem::take(&mut bytes);
            let mut decoder = self.decoder.borrow_mut();
            decoder.decompress(&stored, BLOCK, &mut bytes).map_err(|why| Damage::at(at, why))?;
        }
        match bytes.len() {
            1..=BLOCK => Ok(Block { at, next: at.saturating_add(2 + size as u64), bytes }),
            _ => Err(Damage::at(at, "a metadata block with an invalid length")),
        }
    }

    /// The stream of all blocks from one offset to another.
    pub(super) fn stream(&self, from: u64, to: u64) -> Stream<'_> {
        Stream { metadata: self, at: from, end: to, block: None, taken: 0 }
    }

    /// The stream from a reference to the end of its table. A reference consists of the offset of a
    /// block from the start of the table, and of an offset of 16 bits in the decompressed block.
    pub(super) fn stream_at(
        &self,
        (from, to): (u64, u64),
        reference: u64,
    ) -> Result<Stream<'_>, Damage> {
        let at = from.saturating_add(reference >> 16);
        let mut stream = self.stream(at, to);
        stream.next()?;
        stream.taken = (reference & 0xffff) as usize;
        match &stream.block {
            Some(block) if stream.taken <= block.bytes.len() => Ok(stream),
            _ => Err(Damage::at(at, "a reference to a byte after the end of a block")),
        }
    }
}

/// A stream of metadata from one offset to another.
pub(super) struct Stream<'a> {
    metadata: &'a Metadata<'a>,
    /// The offset of the next block.
    at: u64,
    end: u64,
    block: Option<Rc<Block>>,
    /// The number of bytes of the block that have been returned.
    taken: usize,
}

impl Stream<'_> {
    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut bytes = [0; N];
        let mut left = bytes.as_mut_slice();
        self.parts(N, |part| {
            let (now, later) = std::mem::take(&mut left).split_at_mut(part.len());
            now.copy_from_slice(part);
            left = later;
        })?;
        Ok(bytes)
    }

    /// The next `length` bytes. Memory grows only as fast as the bytes arrive.
    pub(super) fn take(&mut self, length: usize) -> Result<Vec<u8>, Damage> {
        let mut bytes = Vec::new();
        self.parts(length, |part| bytes.extend_from_slice(part))?;
        Ok(bytes)
    }

    /// Skips `length` bytes.
    pub(super) fn skip(&mut self, length: usize) -> Result<(), Damage> {
        self.parts(length, |_| ())
    }

    fn parts(&mut self, mut length: usize, mut found: impl FnMut(&[u8])) -> Result<(), Damage> {
        while length > 0 {
            let block = self.block.as_ref().map_or(&[] as &[u8], |block| &block.bytes);
            let rest = block.get(self.taken..).unwrap_or_default();
            if rest.is_empty() {
                self.next()?;
                continue;
            }
            let part = rest.get(..length).unwrap_or(rest);
            found(part);
            length -= part.len();
            self.taken += part.len();
        }
        Ok(())
    }

    /// The place of the next byte, as the offset of its block and the offset in the block.
    pub(super) fn place(&self) -> (u64, usize) {
        match &self.block {
            Some(block) if self.taken < block.bytes.len() => (block.at, self.taken),
            _ => (self.at, 0),
        }
    }

    /// The offset of the block that is being read, for messages.
    pub(super) fn here(&self) -> u64 {
        self.block.as_ref().map_or(self.at, |block| block.at)
    }

    /// Reads the rest of the stream.
    pub(super) fn finish(mut self) -> Result<(), Damage> {
        while self.at < self.end {
            self.next()?;
        }
        match self.at == self.end {
            true => Ok(()),
            false => Err(Damage::at(self.at, "a table ends in the middle of a block")),
        }
    }

    fn next(&mut self) -> Result<(), Damage> {
        if self.at >= self.end {
            return Err(Damage::at(self.at, "a table ends too early"));
        }
        let block = self.metadata.block(self.at)?;
        (self.at, self.taken) = (block.next, 0);
        self.block = Some(block);
        Ok(())
    }
}
