//! Decompresses every block of a squashfs once, on all processors.

use super::compression::Compression;
use super::inodes::{self, Block};
use super::metadata::{self, Metadata};
use super::{Damage, Squashfs, u32_at, u64_at};
use rayon::prelude::*;

/// The bit in the size of a data block that marks it as uncompressed.
pub(super) const STORED: u32 = 1 << 24;
/// The number of blocks that are collected before they are decompressed together.
const BATCH: usize = 1024;
/// The offset of a missing table.
const MISSING: u64 = u64::MAX;

/// Collects blocks and decompresses them.
struct Reader<'a> {
    squashfs: &'a Squashfs,
    blocks: Vec<Block>,
    on_progress: &'a dyn Fn(),
}

impl Squashfs {
    /// Decompresses all blocks.
    ///
    /// # Errors
    /// The first defect that was found.
    pub(super) fn read(&self, on_progress: &dyn Fn()) -> Result<(), Damage> {
        if let Compression::Other(name) = self.compression {
            return Err(Damage::Unsupported(name));
        }
        let mut reader = Reader { squashfs: self, blocks: Vec::new(), on_progress };
        inodes::each(self, &mut |block| reader.add(block))?;
        let fragments =
            self.indexed(self.tables.fragments, self.fragments.into(), 16, |entry| {
                reader.add(Block { at: u64_at(entry, 0), size: u32_at(entry, 8), length: None })
            })?;
        reader.work()?;
        let nothing = |_: &[u8]| Ok(());
        let export = self.indexed(self.tables.export, self.inodes.into(), 8, nothing)?;
        let ids = self.indexed(self.tables.ids, self.ids.into(), 4, nothing)?;
        let directories = self.tables.directories;
        let ends = [fragments, export, ids, Some(self.tables.ids)].into_iter().flatten();
        let end = ends.filter(|end| *end >= directories).min().unwrap_or(directories);
        Metadata::new(self, directories, end).finish()?;
        self.attributes()
    }

    /// Reads the extended attributes. Their header contains the offset of the first block and the
    /// number of entries; the index of the blocks with these entries follows it.
    fn attributes(&self) -> Result<(), Damage> {
        let at = self.tables.xattrs;
        if at == MISSING {
            return Ok(());
        }
        let header = self.bytes(at, 16)?;
        let (start, count) = (u64_at(&header, 0), u32_at(&header, 8));
        let index = at.saturating_add(16);
        let end = self.indexed(index, count.into(), 16, |_| Ok(()))?.unwrap_or(at);
        Metadata::new(self, start, end).finish()
    }

    /// Reads a table whose blocks are listed in an index. Returns the offset of the first block,
    /// or `None` if the table is missing or empty.
    fn indexed(
        &self,
        index: u64,
        count: u64,
        entry: usize,
        mut found: impl FnMut(&[u8]) -> Result<(), Damage>,
    ) -> Result<Option<u64>, Damage> {
        if index == MISSING || count == 0 {
            return Ok(None);
        }
        let length = count * entry as u64;
        let blocks = length.div_ceil(metadata::BLOCK as u64);
        let places = self.bytes(index, usize::try_from(blocks * 8).unwrap_or(usize::MAX))?;
        let mut left = length;
        for place in places.chunks_exact(8).map(|place| u64_at(place, 0)) {
            let (block, _) = self.metadata_block(place)?;
            let expected = left.min(metadata::BLOCK as u64);
            if block.len() as u64 != expected {
                return Err(Damage::at(place, "a metadata block with a wrong length"));
            }
            left -= expected;
            block.chunks_exact(entry).try_for_each(&mut found)?;
        }
        Ok(places.first_chunk().map(|first| u64::from_le_bytes(*first)))
    }

    /// Decompresses a block of data.
    fn data(&self, block: Block) -> Result<(), Damage> {
        let size = (block.size & !STORED) as usize;
        if size > self.block_size {
            return Err(Damage::at(block.at, "a block with an invalid length"));
        }
        let bytes = self.bytes(block.at, size)?;
        let length = match block.size & STORED {
            0 => {
                let whole = self.compression.decompress(&bytes, self.block_size);
                whole.map_err(|why| Damage::at(block.at, why))?.len()
            }
            _ => bytes.len(),
        };
        match block.length {
            Some(expected) if expected != length => {
                Err(Damage::at(block.at, format!("{length} bytes instead of {expected}")))
            }
            _ => Ok(()),
        }
    }
}

impl Reader<'_> {
    fn add(&mut self, block: Block) -> Result<(), Damage> {
        self.blocks.push(block);
        if self.blocks.len() < BATCH { Ok(()) } else { self.work() }
    }

    fn work(&mut self) -> Result<(), Damage> {
        // Identical files share blocks. Duplicates are removed, so that each block is decompressed
        // only once.
        self.blocks.sort_unstable();
        self.blocks.dedup();
        self.blocks.par_iter().try_for_each(|block| self.squashfs.data(*block))?;
        self.blocks.clear();
        (self.on_progress)();
        Ok(())
    }
}
