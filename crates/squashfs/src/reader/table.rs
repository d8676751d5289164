//! Tables of entries of a fixed length, in metadata blocks that an index lists.
//!
//! ```text
//! index: offset of each metadata block, 64 bit; an entry never crosses the end of a block
//!  ids  4: a user or group id        export     8: the reference of the inode with this number
//!  fragments 16: offset of the block, its size (32 bit), unused
//!  extended attributes 16: reference of the first one, their number, their length (32 bit each)
//! ```

use super::bytes::u64_at;
use super::metadata::{self, Block, Metadata};
use super::{Damage, Reader};
use crate::tables::MISSING;
use std::rc::Rc;

/// A table. Its entries are read when they are needed, so the count of a hostile file costs no
/// memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    /// The offset of the index.
    index: u64,
    /// The number of entries.
    count: u64,
    /// The length of an entry in bytes: 4, 8 or 16.
    entry: usize,
}

impl Table {
    pub(super) fn new(index: u64, count: impl Into<u64>, entry: usize) -> Self {
        let count = if index == MISSING { 0 } else { count.into() };
        Self { index, count, entry }
    }

    /// The number of entries.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The entry with this number, as the block and the offset in it.
    fn find(&self, metadata: &Metadata<'_>, number: u64) -> Result<(Rc<Block>, usize), Damage> {
        let per_block = (metadata::BLOCK / self.entry) as u64;
        let place = self.place(metadata.reader(), number / per_block)?;
        let offset = (number % per_block) as usize * self.entry;
        Ok((metadata.block(place)?, offset))
    }

    /// The entry with this number, padded with zeros to 16 bytes.
    pub(super) fn get(&self, metadata: &Metadata<'_>, number: u64) -> Result<[u8; 16], Damage> {
        if number >= self.count {
            return Err(Damage::at(self.index, format!("no entry {number} of {}", self.count)));
        }
        let (block, offset) = self.find(metadata, number)?;
        let bytes = block.bytes.get(offset..offset.saturating_add(self.entry));
        let bytes = bytes.ok_or_else(|| Damage::at(block.at, "a table ends too early"))?;
        let mut entry = [0; 16];
        entry.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(entry)
    }

    /// The offset of a block of the table.
    fn place(&self, reader: &Reader, block: u64) -> Result<u64, Damage> {
        let at = block.checked_mul(8).and_then(|more| self.index.checked_add(more));
        let bytes = reader.bytes(at.unwrap_or(MISSING), 8)?;
        Ok(u64_at(&bytes, 0))
    }

    /// Reads the whole table. Returns the offset of its first block, or `None` if the table is
    /// missing or empty.
    pub(super) fn each(
        &self,
        metadata: &Metadata<'_>,
        mut found: impl FnMut(&[u8]) -> Result<(), Damage>,
    ) -> Result<Option<u64>, Damage> {
        let mut left = self.count * self.entry as u64;
        for number in 0..left.div_ceil(metadata::BLOCK as u64) {
            let place = self.place(metadata.reader(), number)?;
            let block = metadata.block(place)?;
            let expected = left.min(metadata::BLOCK as u64);
            if block.bytes.len() as u64 != expected {
                return Err(Damage::at(place, "a metadata block with a wrong length"));
            }
            left -= expected;
            block.bytes.chunks_exact(self.entry).try_for_each(&mut found)?;
        }
        self.first(metadata)
    }

    /// The offset of the first block, or `None` if the table is missing or empty.
    pub(super) fn first(&self, metadata: &Metadata<'_>) -> Result<Option<u64>, Damage> {
        (self.count > 0).then(|| self.place(metadata.reader(), 0)).transpose()
    }
}
