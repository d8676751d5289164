//! Reads metadata: blocks of at most 8 KiB, each preceded by its length, that form one stream.

use super::{Damage, Squashfs, u16_at};

/// The decompressed length of a block in bytes; the last block may be shorter.
pub(super) const BLOCK: usize = 8192;
/// The bit in the length of a block that marks it as uncompressed.
const STORED: u16 = 0x8000;

/// A stream of metadata from one offset to another.
pub(super) struct Metadata<'a> {
    squashfs: &'a Squashfs,
    /// The offset of the next block.
    at: u64,
    end: u64,
    block: Vec<u8>,
    /// The number of bytes of the block that have been returned.
    taken: usize,
}

impl<'a> Metadata<'a> {
    pub(super) fn new(squashfs: &'a Squashfs, at: u64, end: u64) -> Self {
        Self { squashfs, at, end, block: Vec::new(), taken: 0 }
    }

    /// Returns the next `length` bytes.
    pub(super) fn take(&mut self, mut length: usize) -> Result<Vec<u8>, Damage> {
        let mut bytes = Vec::new();
        while length > 0 {
            let rest = self.block.get(self.taken..).unwrap_or_default();
            if rest.is_empty() {
                self.next()?;
                continue;
            }
            let part = rest.get(..length).unwrap_or(rest);
            bytes.extend_from_slice(part);
            length -= part.len();
            self.taken += part.len();
        }
        Ok(bytes)
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
        let (block, next) = self.squashfs.metadata_block(self.at)?;
        (self.block, self.at, self.taken) = (block, next, 0);
        Ok(())
    }
}

impl Squashfs {
    /// Reads a block of metadata. Returns its content and the offset of the next block.
    pub(super) fn metadata_block(&self, at: u64) -> Result<(Vec<u8>, u64), Damage> {
        let length = u16_at(&self.bytes(at, 2)?, 0);
        let size = usize::from(length & !STORED);
        let bytes = self.bytes(at.saturating_add(2), size)?;
        let block = match length & STORED {
            0 => self.compression.decompress(&bytes, BLOCK).map_err(|why| Damage::at(at, why))?,
            _ => bytes,
        };
        match block.len() {
            1..=BLOCK => Ok((block, at.saturating_add(2 + size as u64))),
            _ => Err(Damage::at(at, "a metadata block with an invalid length")),
        }
    }
}
