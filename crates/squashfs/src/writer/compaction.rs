//! Removes the bytes of files that an upper layer hides.
//!
//! First, the last files move into the holes, as long as they fit. Then hardly more bytes are moved
//! than removed, and most of the file stays where it is:
//!
//! ```text
//! before  │ A │ hole │ B │ C │ hole │ D │ E │
//! after   │ A │ E    │ B │ C │ D    │
//! ```
//!
//! If the last file does not fit into any hole while many dead bytes are left, all files behind the
//! first hole move down. The blocks of one file always stay together, as squashfs requires. Nothing
//! is compressed again.

use super::contents::{Contents, Place};
use super::error::Error;
use super::live::Live;
use super::placer::{Block, Placed};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

/// The number of bytes that are moved at once.
const CHUNK: u64 = 1 << 20;
/// One of so many bytes may be dead. Fewer are not worth moving others.
const TOLERATED: u64 = 128;

/// The bytes that were removed, and those that were moved for it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Compacted {
    pub(super) removed: u64,
    pub(super) moved: u64,
}

/// Blocks that have to stay together: a fragment, or all blocks of a file.
#[derive(Debug)]
struct Unit {
    blocks: Range<usize>,
    offset: u64,
    size: u64,
}

/// Moves units in the file, and changes the offsets of their blocks.
struct Mover<'a> {
    file: &'a File,
    /// The offset of the file system in the file.
    base: u64,
    blocks: &'a mut [Block],
    moved: u64,
}

/// Removes dead blocks from a file system that begins at `base` in the file.
///
/// # Errors
/// The file cannot be read or written.
pub(super) fn compact(
    file: &File,
    base: u64,
    placed: &mut Placed,
    contents: &Contents,
    live: &Live,
) -> Result<Compacted, Error> {
    let end = placed.end;
    let total: u64 = placed.blocks.iter().map(Block::bytes).sum();
    let dead = live.dead_bytes(&placed.blocks);
    if dead <= total / TOLERATED {
        return Ok(Compacted::default());
    }
    let start = end - total;
    let mut units = units(&placed.blocks, contents, live);
    let mut mover = Mover { file, base, blocks: &mut placed.blocks, moved: 0 };
    mover.fill_holes(start, &mut units)?;
    let left = last_byte(start, &units) - start - (total - dead);
    if left > (total - dead) / TOLERATED {
        mover.move_down(start, &mut units)?;
    }
    let moved = mover.moved;
    placed.end = last_byte(start, &units);
    Ok(Compacted { removed: end - placed.end, moved })
}

/// The end of the last unit.
fn last_byte(start: u64, units: &[Unit]) -> u64 {
    units.last().map_or(start, Unit::end)
}

/// The live units, in the order of the file.
fn units(blocks: &[Block], contents: &Contents, live: &Live) -> Vec<Unit> {
    let files = contents.iter().filter(|(id, _)| live.has(*id));
    let files = files.filter_map(|(_, content)| match content.place {
        Place::Blocks(first, end) => Some(first..end),
        _ => None,
    });
    let fragments = live.fragments.keys().map(|block| *block..block + 1);
    let ranges = files.chain(fragments).map(|range| range.start as usize..range.end as usize);
    let mut units: Vec<Unit> = ranges.filter_map(|range| unit(blocks, range)).collect();
    units.sort_unstable_by_key(|unit| unit.offset);
    units
}

/// `None` for blocks of zeros only.
fn unit(blocks: &[Block], range: Range<usize>) -> Option<Unit> {
    let list = blocks.get(range.clone())?;
    let offset = list.iter().find(|block| block.size > 0)?.offset;
    Some(Unit { blocks: range, offset, size: list.iter().map(Block::bytes).sum() })
}

impl Unit {
    fn end(&self) -> u64 {
        self.offset + self.size
    }
}

impl Mover<'_> {
    /// Moves units from the end of the file into the smallest holes that are large enough.
    fn fill_holes(&mut self, start: u64, units: &mut [Unit]) -> Result<(), Error> {
        let (mut by_offset, mut by_size) = (BTreeMap::new(), BTreeSet::new());
        let mut next = start;
        for unit in &*units {
            if unit.offset > next {
                by_offset.insert(next, unit.offset - next);
                by_size.insert((unit.offset - next, next));
            }
            next = unit.end();
        }
        for unit in units.iter_mut().rev() {
            while let Some(hole) = by_offset.last_entry().filter(|hole| *hole.key() > unit.offset) {
                let (offset, size) = hole.remove_entry();
                by_size.remove(&(size, offset));
            }
            let Some((size, offset)) = by_size.range((unit.size, 0)..).next().copied() else {
                break;
            };
            by_size.remove(&(size, offset));
            by_offset.remove(&offset);
            if size > unit.size {
                by_offset.insert(offset + unit.size, size - unit.size);
                by_size.insert((size - unit.size, offset + unit.size));
            }
            self.copy(unit.offset, offset, unit.size)?;
            self.place(unit, offset);
        }
        units.sort_unstable_by_key(|unit| unit.offset);
        Ok(())
    }

    /// Moves all units to the end of the one before. Neighbours move together.
    fn move_down(&mut self, start: u64, units: &mut [Unit]) -> Result<(), Error> {
        let (mut from, mut to, mut size) = (start, start, 0);
        for unit in units {
            if unit.offset != from + size {
                self.copy(from, to, size)?;
                (from, to, size) = (unit.offset, to + size, 0);
            }
            self.place(unit, to + size);
            size += unit.size;
        }
        self.copy(from, to, size)
    }

    fn place(&mut self, unit: &mut Unit, offset: u64) {
        unit.offset = offset;
        let mut next = offset;
        for block in self.blocks.get_mut(unit.blocks.clone()).unwrap_or_default() {
            block.offset = next;
            next += block.bytes();
        }
    }

    /// Copies from the front: the target is never behind the source.
    fn copy(&mut self, from: u64, to: u64, size: u64) -> Result<(), Error> {
        if from == to {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let mut done = 0;
        while done < size {
            let now = CHUNK.min(size - done);
            bytes.resize(usize::try_from(now).unwrap_or(0), 0);
            let read = self.file.read_exact_at(&mut bytes, self.base + from + done);
            read.map_err(Error::ReadBack)?;
            let write = self.file.write_all_at(&bytes, self.base + to + done);
            write.map_err(Error::Write)?;
            done += now;
        }
        self.moved += size;
        Ok(())
    }
}
