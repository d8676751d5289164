//! Writes compressed blocks one behind the other, in the order of their numbers.

use super::error::Error;
use super::pipeline::Buffers;
use crate::checksums::STORED;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

/// The number of bytes that are written at once.
const CHUNK: usize = 1 << 20;

/// A block that was compressed.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) number: u32,
    pub(super) buffers: Buffers,
    pub(super) outcome: Outcome,
    /// The checksum of the input.
    pub(super) checksum: u64,
}

/// Where the bytes of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nowhere: the block consists of zeros and is not stored.
    Zeros,
    /// In the output: so many bytes.
    Compressed(usize),
    /// In the input: compression does not make it smaller.
    Stored,
    /// Nowhere: the compressor panicked.
    Failed,
}

/// A block in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// The offset from the superblock in bytes.
    pub(super) offset: u64,
    /// The checksum of the uncompressed bytes.
    pub(super) checksum: u64,
    /// The size as in the file's list of blocks: 0 for zeros, with [`STORED`] if uncompressed.
    pub(super) size: u32,
}

impl Block {
    /// The number of stored bytes.
    pub(super) fn bytes(&self) -> u64 {
        (self.size & !STORED).into()
    }
}

/// The blocks in the file, by number.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) blocks: Vec<Block>,
    /// The end of the last block.
    pub(super) end: u64,
}

/// The state of the thread that writes.
pub(super) struct Placer {
    file: Arc<File>,
    /// The offset of the superblock in the file.
    base: u64,
    placed: Placed,
    next: u32,
    /// Bytes up to `placed.end` that are not written yet.
    pending: Vec<u8>,
}

impl Placer {
    pub(super) fn new(file: Arc<File>, base: u64, placed: Placed, next: u32) -> Self {
        Self { file, base, placed, next, pending: Vec::with_capacity(CHUNK) }
    }

    /// Writes all blocks that arrive. When it returns early, the spare buffers run out, so that
    /// the sender of blocks notices.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn run(
        mut self,
        done: &Receiver<Done>,
        spare: &Sender<Buffers>,
    ) -> Result<Placed, Error> {
        let mut waiting = BTreeMap::new();
        for block in done {
            waiting.insert(block.number, block);
            while let Some(block) = waiting.remove(&self.next) {
                self.place(&block)?;
                // Fails only if no further block will arrive.
                let _ = spare.send(block.buffers);
            }
        }
        self.flush()?;
        Ok(self.placed)
    }

    fn place(&mut self, block: &Done) -> Result<(), Error> {
        let bytes: &[u8] = match block.outcome {
            Outcome::Zeros => &[],
            Outcome::Compressed(length) => {
                block.buffers.output.get(..length).ok_or(Error::Thread)?
            }
            Outcome::Stored => &block.buffers.input,
            Outcome::Failed => return Err(Error::Thread),
        };
        let size = u32::try_from(bytes.len()).map_err(|_| Error::TooMany("bytes in a block"))?;
        let flag = if block.outcome == Outcome::Stored { STORED } else { 0 };
        let offset = self.placed.end;
        self.placed.blocks.push(Block { offset, checksum: block.checksum, size: size | flag });
        self.placed.end += u64::from(size);
        self.next += 1;
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let from = self.base + self.placed.end - self.pending.len() as u64;
        self.file.write_all_at(&self.pending, from).map_err(Error::Write)?;
        self.pending.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_compressor_that_fails_ends_the_placer() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let placer = Placer::new(file, 0, Placed { blocks: Vec::new(), end: 96 }, 0);
        let ((results, done), (recycle, spare)) = (channel(), channel());
        for (number, outcome) in [(0, Outcome::Zeros), (1, Outcome::Failed), (2, Outcome::Zeros)] {
            let buffers = Buffers::default();
            results.send(Done { number, buffers, outcome, checksum: 0 }).unwrap();
        }
        drop(results);
        assert!(matches!(placer.run(&done, &recycle), Err(Error::Thread)));
        drop(recycle);
        assert_eq!(spare.iter().count(), 1);
    }
}
