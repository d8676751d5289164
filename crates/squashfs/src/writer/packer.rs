//! Packs small files into fragments: blocks that several files share.

use super::contents::{Contents, Place};
use super::error::Error;
use super::pipeline::Pipeline;

/// The fragment that is being filled.
#[derive(Debug)]
pub(super) struct Packer {
    fragment: Vec<u8>,
    /// The contents in it, with their offsets.
    members: Vec<(u32, u32)>,
    block_size: usize,
    pub(super) pipeline: Pipeline,
}

impl Packer {
    pub(super) fn new(pipeline: Pipeline, block_size: usize) -> Self {
        Self { fragment: Vec::new(), members: Vec::new(), block_size, pipeline }
    }

    /// Adds a content that is smaller than a block.
    ///
    /// # Errors
    /// A block could not be written.
    pub(super) fn add(
        &mut self,
        content: u32,
        data: &[u8],
        contents: &mut Contents,
    ) -> Result<(), Error> {
        if self.fragment.len() + data.len() > self.block_size {
            self.flush(contents)?;
        }
        let offset = u32::try_from(self.fragment.len());
        self.members.push((content, offset.map_err(|_| Error::TooMany("bytes in a block"))?));
        self.fragment.extend_from_slice(data);
        Ok(())
    }

    /// Hands the fragment over to be written.
    ///
    /// # Errors
    /// A block could not be written.
    pub(super) fn flush(&mut self, contents: &mut Contents) -> Result<(), Error> {
        if self.members.is_empty() {
            return Ok(());
        }
        let block = self.pipeline.submit(&mut self.fragment)?;
        for (content, offset) in self.members.drain(..) {
            contents.place(content, Place::Fragment(block, offset));
        }
        Ok(())
    }
}
