//! The end of a squashfs: removes dead bytes, then writes the tables and the superblock.

use super::contents::{Contents, Place};
use super::error::Error;
use super::inodes::Data;
use super::live::Live;
use super::order::Order;
use super::packer::Packer;
use super::pipeline::Pipeline;
use super::placer::{Block, Placed};
use super::tables::{self, Fragment, Lookup};
use super::{Counts, Finished, Options, Writer, compaction, repack, superblock};
use crate::checksums::{self, Checksums, checksum};
use crate::tree::{Kind, Tree};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// The size is a multiple of this, as mksquashfs pads it.
const PADDING: u64 = 4096;

pub(super) fn finish(mut writer: Writer, tree: &Tree) -> Result<Finished, Error> {
    let order = Order::new(tree)?;
    let placed = writer.store.finish()?;
    writer.store.contents.close();
    let (mut placed, live) = writer.repack((tree, &order), placed)?;
    let Writer { file, options, store } = writer;
    let compacted =
        compaction::compact(&file, options.offset, &mut placed, &store.contents, &live)?;
    let blocks = Blocks::new(&placed.blocks, &store.contents, &live, options);
    let fragments = blocks.fragments();
    let encoded = tables::encode((tree, &order), &blocks, &fragments, placed.end, options)?;
    let used = encoded.superblock.used;
    let size = used.next_multiple_of(PADDING);
    let write =
        |bytes: &[u8], at: u64| file.write_all_at(bytes, options.offset + at).map_err(Error::Write);
    write(&encoded.bytes, placed.end)?;
    write(&encoded.superblock.bytes(), 0)?;
    file.set_len(options.offset + size).map_err(Error::Write)?;
    let tables = checksums::Tables {
        offset: placed.end,
        size: encoded.bytes.len() as u64,
        checksum: checksum(&encoded.bytes),
    };
    let stored: u64 = blocks.live().map(Block::bytes).sum();
    let counts = Counts {
        inodes: order.count,
        bytes_in: store.bytes_in,
        bytes_equal: store.bytes_equal,
        bytes_removed: compacted.removed,
        bytes_moved: compacted.moved,
        bytes_dead: (placed.end - superblock::data_start(options.compression))
            .saturating_sub(stored),
        xattrs_left_out: encoded.left_out,
    };
    Ok(Finished { size, checksums: Checksums { blocks: blocks.checksums(), tables }, counts })
}

impl Writer {
    /// Packs small files again where many are dead. Returns the blocks that are in use after it.
    fn repack(&mut self, tree: (&Tree, &Order), placed: Placed) -> Result<(Placed, Live), Error> {
        let contents = &mut self.store.contents;
        let live = Live::new(tree, contents, placed.blocks.len())?;
        let chosen = repack::choose(&placed, contents, &live);
        if chosen.is_empty() {
            return Ok((placed, live));
        }
        let blocks = placed.blocks.clone();
        let pipeline = Pipeline::start(Arc::clone(&self.file), self.options, placed)?;
        let mut packer = Packer::new(pipeline, self.options.block_size as usize);
        let result =
            repack::repack(&self.file, self.options, &blocks, &chosen, contents, &mut packer);
        let placed = packer.pipeline.finish()?;
        result?;
        let live = Live::new(tree, contents, placed.blocks.len())?;
        Ok((placed, live))
    }
}

/// The blocks in the file, and which contents are in them.
struct Blocks<'a> {
    blocks: &'a [Block],
    contents: &'a Contents,
    live: &'a Live,
    /// The numbers of the blocks that are fragments, sorted.
    fragments: Vec<u32>,
    block_size: u64,
}

impl<'a> Blocks<'a> {
    fn new(blocks: &'a [Block], contents: &'a Contents, live: &'a Live, options: Options) -> Self {
        let fragments = live.fragments.keys().copied().collect();
        Self { blocks, contents, live, fragments, block_size: options.block_size.into() }
    }

    fn get(&self, number: u32) -> Option<&Block> {
        self.blocks.get(number as usize)
    }

    fn live(&self) -> impl Iterator<Item = &Block> {
        let blocks = self.blocks.iter().zip(&self.live.blocks);
        blocks.filter(|(_, live)| **live).map(|(block, _)| block)
    }

    fn fragments(&self) -> Vec<Fragment> {
        let blocks = self.fragments.iter().filter_map(|number| self.get(*number));
        blocks.map(|block| (block.offset, block.size)).collect()
    }

    fn checksums(&self) -> Vec<checksums::Block> {
        let stored = self.live().filter(|block| block.size > 0);
        let mut blocks: Vec<_> = stored
            .map(|block| checksums::Block {
                offset: block.offset,
                size: block.size,
                checksum: block.checksum,
            })
            .collect();
        blocks.sort_unstable_by_key(|block| block.offset);
        blocks
    }

    fn in_blocks(&self, size: u64, first: u32, end: u32) -> Option<Data> {
        let blocks = self.blocks.get(first as usize..end as usize)?;
        let start = blocks.iter().find(|block| block.size > 0).map_or(0, |block| block.offset);
        let (mut zeros, mut left) = (0, size);
        for block in blocks {
            let length = left.min(self.block_size);
            zeros += if block.size == 0 { length } else { 0 };
            left -= length;
        }
        let blocks = blocks.iter().map(|block| block.size).collect();
        Some(Data { size, start, fragment: None, zeros, blocks })
    }
}

impl Lookup for Blocks<'_> {
    fn data(&self, kind: &Kind) -> Result<Data, Error> {
        let Kind::File { size, content: Some(id) } = kind else { return Ok(Data::default()) };
        let content = self.contents.get(id.0).ok_or(Error::Content(id.0))?;
        let data = match content.place {
            Place::Fragment(block, offset) => {
                let fragment = self.fragments.binary_search(&block).ok();
                let fragment = fragment.and_then(|index| u32::try_from(index).ok());
                fragment.map(|fragment| Data {
                    size: *size,
                    fragment: Some((fragment, offset)),
                    ..Data::default()
                })
            }
            Place::Blocks(first, end) => self.in_blocks(*size, first, end),
            Place::Waiting(_) | Place::Dropped => None,
        };
        data.ok_or(Error::Content(id.0))
    }
}
