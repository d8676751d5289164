//! Reads everything once: all metadata, and every block of data on all processors.

use super::block::{Block, BlockReader, Length};
use super::budget::Budget;
use super::bytes::{u32_at, u64_at};
use super::inode::{Body, File, Inode};
use super::metadata::Metadata;
use super::table::Table;
use super::walk::{self, Visitor};
use super::workers::{self, OnProgress};
use super::xattrs::Attributes;
use super::{Damage, Reader};
use std::collections::HashSet;
use std::thread;

/// The number of inodes between two calls of the progress callback.
const INODES_PER_CALL: u32 = 4096;

/// Collects the blocks of all files, and checks the references of inodes.
struct Check<'a> {
    metadata: &'a Metadata<'a>,
    block_size: usize,
    ids: Table,
    attributes: Attributes,
    /// The numbers of the extended attributes that were checked.
    checked: HashSet<u32>,
    blocks: Vec<Block>,
    /// The fragment blocks, which must be as long as their files require.
    fragments: Vec<Block>,
}

impl Reader {
    /// Checks that all files can be read: decompresses every block on all processors, and follows
    /// every name from the root directory to its inode, its extended attributes and its blocks.
    /// Also reads tables and inodes that nothing refers to.
    ///
    /// # Errors
    /// The first defect that was found, or `on_progress` asked to stop.
    pub fn check_all(&self, on_progress: OnProgress<'_>) -> Result<(), Damage> {
        self.supported()?;
        let metadata = Metadata::new(self)?;
        let blocks = self.blocks(&metadata, on_progress)?;
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let read = |reader: &mut BlockReader<'_>, block: &Block| {
            reader.read(*block).map(|()| block.stored_size())
        };
        workers::each(self, &blocks, threads, read, on_progress)?;
        self.rest(&metadata)
    }

    /// Reads all inodes and names. Returns the blocks of all files in the order of the file system.
    pub(super) fn blocks(
        &self,
        metadata: &Metadata<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<Vec<Block>, Damage> {
        let mut budget = self.budget();
        let mut check = Check {
            metadata,
            block_size: self.superblock.block_size,
            ids: self.ids(),
            attributes: Attributes::new(metadata)?,
            checked: HashSet::new(),
            blocks: Vec::new(),
            fragments: self.fragment_blocks(metadata, &mut budget)?,
        };
        let tables = &self.superblock.tables;
        let mut stream = metadata.stream(tables.inodes, tables.directories);
        for number in 0..self.superblock.inodes {
            let inode = Inode::read(&mut stream, self.superblock.block_size, &mut budget)?;
            check.inode(inode, &mut budget)?;
            if number % INODES_PER_CALL == 0 {
                on_progress(0)?;
            }
        }
        stream.finish()?;
        walk::walk(metadata, self.budget(), &mut check)?;
        on_progress(0)?;
        let mut blocks = check.blocks;
        blocks.append(&mut check.fragments);
        // Identical files share blocks. Duplicates are removed, so that each block is decompressed
        // only once.
        blocks.sort_unstable();
        blocks.dedup();
        Ok(blocks)
    }

    fn fragment_blocks(
        &self,
        metadata: &Metadata<'_>,
        budget: &mut Budget,
    ) -> Result<Vec<Block>, Damage> {
        let mut fragments = Vec::new();
        self.fragments().each(metadata, |entry| {
            let (at, size) = (u64_at(entry, 0), u32_at(entry, 8));
            budget.take(at, size_of::<Block>())?;
            fragments.push(Block { at, size, length: Length::AtLeast(0) });
            Ok(())
        })?;
        Ok(fragments)
    }

    /// Reads the rest of the metadata.
    pub(super) fn rest(&self, metadata: &Metadata<'_>) -> Result<(), Damage> {
        let nothing = |_: &[u8]| Ok(());
        self.export().each(metadata, nothing)?;
        self.ids().each(metadata, nothing)?;
        let end = self.end_of_directories(metadata)?;
        metadata.stream(self.superblock.tables.directories, end).finish()?;
        Attributes::new(metadata)?.finish(metadata)
    }
}

impl Visitor for Check<'_> {
    fn inode(&mut self, inode: Inode, budget: &mut Budget) -> Result<(), Damage> {
        let at = inode.at;
        let highest = inode.user.max(inode.group);
        if u64::from(highest) >= self.ids.count() {
            return Err(Damage::at(at, format!("no user or group of number {highest}")));
        }
        if let Some(number) = inode.xattrs
            && !self.checked.contains(&number)
        {
            self.attributes.get(self.metadata, number, budget)?;
            self.checked.insert(number);
        }
        match inode.body {
            Body::File(file) => self.file(&file, at, budget),
            _ => Ok(()),
        }
    }

    fn name(&mut self, _: u32, _: Box<[u8]>, _: u32) -> Result<(), Damage> {
        Ok(())
    }
}

impl Check<'_> {
    fn file(&mut self, file: &File, inode: u64, budget: &mut Budget) -> Result<(), Damage> {
        budget.take(inode, file.sizes.len().saturating_mul(size_of::<Block>()))?;
        let (mut left, mut at) = (file.size, file.start);
        for &size in &file.sizes {
            let length = left.min(self.block_size as u64);
            left -= length;
            // A block of zeros has a stored size of 0 and needs no data.
            if size != 0 {
                let block = Block { at, size, length: Length::Exactly(length as u32) };
                at = at.saturating_add(block.stored_size());
                self.blocks.push(block);
            }
        }
        match file.fragment {
            Some((number, offset)) if left > 0 => self.fragment(number, offset, left, inode),
            _ => Ok(()),
        }
    }

    /// Makes sure that the fragment block has these bytes.
    fn fragment(&mut self, number: u32, offset: u32, left: u64, inode: u64) -> Result<(), Damage> {
        let block = self.fragments.get_mut(number as usize);
        let block = block.ok_or_else(|| Damage::at(inode, format!("no fragment {number}")))?;
        let end = u64::from(offset).saturating_add(left);
        let end = u32::try_from(end).ok().filter(|end| *end as usize <= self.block_size);
        let end = end.ok_or_else(|| Damage::at(inode, "a fragment after the end of its block"))?;
        if block.length < Length::AtLeast(end) {
            block.length = Length::AtLeast(end);
        }
        Ok(())
    }
}
