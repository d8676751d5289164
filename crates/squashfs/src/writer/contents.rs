//! The contents that were stored, each once, however many files have it.

use crate::tree::ContentId;
use std::collections::HashMap;

/// The bytes of a content that are kept if it is an ELF file: its header.
const HEAD: usize = 64;
const ELF: &[u8] = b"\x7fELF";

/// Where a content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the batch of small files, with this index.
    Waiting(u32),
    /// In a fragment: the number of the block, and the offset in it in bytes.
    Fragment(u32, u32),
    /// In blocks of its own: the numbers of the first one and of the one after the last.
    Blocks(u32, u32),
    /// Nowhere: it was forgotten before it was written.
    Dropped,
}

/// A content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) place: Place,
    uses: u32,
}

/// All contents, by number and by hash.
#[derive(Debug, Default)]
pub(super) struct Contents {
    list: Vec<Content>,
    known: HashMap<[u8; 32], u32>,
    heads: HashMap<u32, Box<[u8]>>,
}

impl Contents {
    /// The content with this hash, with one more use.
    pub(super) fn reuse(&mut self, hash: &[u8; 32]) -> Option<ContentId> {
        let id = *self.known.get(hash)?;
        let content = self.list.get_mut(id as usize)?;
        content.uses = content.uses.saturating_add(1);
        Some(ContentId(id))
    }

    /// The number of the next content; `None` if there are too many.
    pub(super) fn next(&self) -> Option<u32> {
        u32::try_from(self.list.len()).ok()
    }

    /// Adds a content with one use. `head` are its first bytes.
    pub(super) fn add(
        &mut self,
        hash: [u8; 32],
        size: u64,
        place: Place,
        head: &[u8],
    ) -> Option<ContentId> {
        let id = self.next()?;
        if head.starts_with(ELF) {
            self.heads.insert(id, head.get(..HEAD).unwrap_or(head).into());
        }
        self.list.push(Content { size, place, uses: 1 });
        self.known.insert(hash, id);
        Some(ContentId(id))
    }

    /// Removes one use. Returns the index in the batch if it was the last one and the content is
    /// not written yet.
    pub(super) fn release(&mut self, id: ContentId) -> Option<u32> {
        let content = self.list.get_mut(id.0 as usize)?;
        content.uses = content.uses.saturating_sub(1);
        match content.place {
            Place::Waiting(index) if content.uses == 0 => {
                content.place = Place::Dropped;
                Some(index)
            }
            _ => None,
        }
    }

    /// Makes sure that a dropped content is not found again.
    pub(super) fn drop_hash(&mut self, hash: &[u8; 32]) {
        if let Some(id) = self.known.remove(hash) {
            self.heads.remove(&id);
        }
    }

    /// Frees what only [`Contents::reuse`] and [`Contents::head`] need.
    pub(super) fn close(&mut self) {
        self.known = HashMap::new();
        self.heads = HashMap::new();
    }

    /// Moves a content.
    pub(super) fn place(&mut self, id: u32, place: Place) {
        if let Some(content) = self.list.get_mut(id as usize) {
            content.place = place;
        }
    }

    pub(super) fn get(&self, id: u32) -> Option<&Content> {
        self.list.get(id as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn head(&self, id: ContentId) -> Option<&[u8]> {
        self.heads.get(&id.0).map(AsRef::as_ref)
    }

    /// All contents with their numbers, in the order in which they were stored.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Content)> {
        (0..).zip(&self.list)
    }
}
