//! The blocks that the final tree still needs.

use super::contents::{Contents, Place};
use super::error::Error;
use super::order::Order;
use super::placer::Block;
use crate::tree::{Kind, Tree};
use std::collections::BTreeMap;

/// The blocks that files of the tree use.
#[derive(Debug)]
pub(super) struct Live {
    /// For each block by number.
    pub(super) blocks: Vec<bool>,
    /// For each content by number.
    contents: Vec<bool>,
    /// For each fragment that is in use, by the number of its block, the bytes in use.
    pub(super) fragments: BTreeMap<u32, u64>,
}

impl Live {
    /// # Errors
    /// A file has a content that is not stored.
    pub(super) fn new(
        (tree, order): (&Tree, &Order),
        contents: &Contents,
        blocks: usize,
    ) -> Result<Self, Error> {
        let used = vec![false; contents.len()];
        let mut live =
            Self { blocks: vec![false; blocks], contents: used, fragments: BTreeMap::new() };
        for (_, inode) in tree.iter().filter(|(id, _)| order.number(*id) > 0) {
            if let Kind::File { size, content } = &inode.kind {
                live.add(contents, *size, content.map(|id| id.0))?;
            }
        }
        Ok(live)
    }

    fn add(&mut self, contents: &Contents, size: u64, id: Option<u32>) -> Result<(), Error> {
        let Some(id) = id else {
            return if size == 0 { Ok(()) } else { Err(Error::Content(u32::MAX)) };
        };
        let content = contents.get(id).filter(|content| content.size == size);
        let content = content.ok_or(Error::Content(id))?;
        let is_new =
            self.contents.get_mut(id as usize).is_some_and(|used| !std::mem::replace(used, true));
        if !is_new {
            return Ok(());
        }
        let blocks = match content.place {
            Place::Waiting(_) | Place::Dropped => return Err(Error::Content(id)),
            Place::Fragment(block, _) => {
                *self.fragments.entry(block).or_default() += size;
                block..block + 1
            }
            Place::Blocks(first, end) => first..end,
        };
        let blocks = self.blocks.get_mut(blocks.start as usize..blocks.end as usize);
        blocks.ok_or(Error::Content(id))?.fill(true);
        Ok(())
    }

    /// Whether a file has this content.
    pub(super) fn has(&self, content: u32) -> bool {
        self.contents.get(content as usize).copied().unwrap_or(false)
    }

    /// The number of bytes in `blocks` that no file uses.
    pub(super) fn dead_bytes(&self, blocks: &[Block]) -> u64 {
        let dead = blocks.iter().zip(&self.blocks).filter(|(_, live)| !**live);
        dead.map(|(block, _)| block.bytes()).sum()
    }
}
