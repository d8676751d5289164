//! Where the contents of regular files are.

use super::inode::File;
use crate::tree::ContentId;

/// The places of the contents of all regular files of a tree.
#[derive(Debug, Default)]
pub struct Contents {
    contents: Vec<Place>,
    /// The stored sizes of the blocks of all files, one file after the other.
    sizes: Vec<u32>,
}

/// The place of a content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The offset of the first block in bytes from the superblock.
    pub(super) start: u64,
    /// The size in bytes.
    pub(super) size: u64,
    /// The index of its first block in `sizes`, and the number of blocks.
    blocks: (usize, usize),
    /// The end of the file, if a fragment block has it.
    pub(super) fragment: Option<Fragment>,
}

/// A part of a fragment block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment {
    /// The offset of the block in bytes from the superblock.
    pub(super) at: u64,
    /// Its stored size.
    pub(super) size: u32,
    /// The offset of the part in the decompressed block in bytes.
    pub(super) offset: u32,
}

impl Contents {
    /// The number of contents: one for each regular file that is not empty.
    #[must_use]
    pub fn len(&self) -> usize {
        self.contents.len()
    }

    /// Whether there are no contents.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// Adds the content of a file. `None` if there are too many.
    pub(super) fn add(&mut self, file: &File, fragment: Option<Fragment>) -> Option<ContentId> {
        let id = u32::try_from(self.contents.len()).ok()?;
        let blocks = (self.sizes.len(), file.sizes.len());
        self.sizes.extend_from_slice(&file.sizes);
        self.contents.push(Place { start: file.start, size: file.size, blocks, fragment });
        Some(ContentId(id))
    }

    /// A content, and the stored sizes of its blocks.
    pub(super) fn get(&self, id: ContentId) -> Option<(Place, &[u32])> {
        let place = *self.contents.get(id.0 as usize)?;
        let (first, count) = place.blocks;
        Some((place, self.sizes.get(first..)?.get(..count)?))
    }
}
