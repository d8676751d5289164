//! Moves blocks down over the bytes of files that an upper layer hides.
//!
//! ```text
//! before  │ A │ dead │ B │ C │ dead │ D │ E │
//! after   │ A │ B │ C │ D │ E │
//! ```
//!
//! The blocks of a file have to stay together, and small files near their neighbours, so all blocks
//! keep their order. Nothing is compressed again.

use super::error::Error;
use super::live::Live;
use super::placer::Placed;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The number of bytes that are moved at once.
const CHUNK: u64 = 1 << 20;
/// One of so many bytes may be dead. Fewer are not worth moving half of the file.
const TOLERATED: u64 = 128;

/// A move of neighbouring blocks: where they are, where they go, and their size in bytes.
#[derive(Debug, Clone, Copy)]
struct Move {
    from: u64,
    to: u64,
    size: u64,
}

/// Moves the live blocks of a file system, which begins at `base` in the file, and changes their
/// offsets. Returns the number of bytes that it removed.
///
/// # Errors
/// The file cannot be read or written.
pub(super) fn compact(
    file: &File,
    base: u64,
    placed: &mut Placed,
    live: &Live,
) -> Result<u64, Error> {
    let end = placed.end;
    let total = placed.blocks.iter().map(super::placer::Block::bytes).sum::<u64>();
    if live.dead_bytes(&placed.blocks) <= total / TOLERATED {
        return Ok(0);
    }
    let start = placed.blocks.first().map_or(end, |block| block.offset);
    let mut next = Move { from: start, to: start, size: 0 };
    for (block, _) in placed.blocks.iter_mut().zip(&live.blocks).filter(|(_, live)| **live) {
        if block.offset != next.from + next.size {
            next.carry_out(file, base)?;
            next = Move { from: block.offset, to: next.to + next.size, size: 0 };
        }
        block.offset = next.to + next.size;
        next.size += block.bytes();
    }
    next.carry_out(file, base)?;
    placed.end = next.to + next.size;
    Ok(end - placed.end)
}

impl Move {
    /// Copies from the front: the target is never behind the source.
    fn carry_out(self, file: &File, base: u64) -> Result<(), Error> {
        if self.from == self.to {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let mut done = 0;
        while done < self.size {
            let now = CHUNK.min(self.size - done);
            bytes.resize(usize::try_from(now).unwrap_or(0), 0);
            let read = file.read_exact_at(&mut bytes, base + self.from + done);
            read.map_err(Error::ReadBack)?;
            file.write_all_at(&bytes, base + self.to + done).map_err(Error::Write)?;
            done += now;
        }
        Ok(())
    }
}
