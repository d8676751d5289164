//! Packs the live small files of fragments that hold many dead ones again.
//!
//! A fragment with one live file cannot be removed, and its dead files cannot be cut out of a
//! compressed block. So the live files go into new fragments at the end, in the same order, and the
//! old fragments are dead as a whole.

use super::Options;
use super::contents::{Contents, Place};
use super::error::Error;
use super::live::Live;
use super::packer::Packer;
use super::placer::{Block, Placed};
use crate::checksums::STORED;
use crate::compression::Compression;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// One of so many bytes of all blocks may be dead bytes of fragments.
const TOLERATED: u64 = 256;

/// The fragments to pack again, by the number of their blocks, with the live contents of each.
type Chosen = BTreeMap<u32, Vec<u32>>;

/// A file in a fragment: its content, the offset in the fragment, and its size, in bytes.
type Part = (u32, usize, usize);

/// Chooses the fragments with the largest share of dead bytes, until few dead bytes are left.
pub(super) fn choose(placed: &Placed, contents: &Contents, live: &Live) -> Chosen {
    let mut full = BTreeMap::<u32, u64>::new();
    for (_, content) in contents.iter() {
        if let Place::Fragment(block, _) = content.place {
            *full.entry(block).or_default() += content.size;
        }
    }
    let bytes = |block: u32| placed.blocks.get(block as usize).map_or(0, Block::bytes);
    // The compressed size of the dead files is not known: their share is taken.
    let mut partly: Vec<(u64, u64, u32)> = live
        .fragments
        .iter()
        .filter_map(|(block, used)| {
            let full = *full.get(block)?;
            let dead = full.saturating_sub(*used);
            (dead > 0).then(|| (dead * 1024 / full, bytes(*block) * dead / full, *block))
        })
        .collect();
    partly.sort_unstable();
    let mut tolerated = placed.blocks.iter().map(Block::bytes).sum::<u64>() / TOLERATED;
    let kept = partly
        .iter()
        .take_while(|(_, dead, _)| {
            let fits = *dead <= tolerated;
            tolerated = tolerated.saturating_sub(*dead);
            fits
        })
        .count();
    let chosen = partly.get(kept..).unwrap_or_default();
    let mut chosen: Chosen = chosen.iter().map(|(_, _, block)| (*block, Vec::new())).collect();
    for (id, content) in contents.iter().filter(|(id, _)| live.has(*id)) {
        if let Place::Fragment(block, _) = content.place {
            chosen.entry(block).and_modify(|list| list.push(id));
        }
    }
    chosen
}

/// Packs the live files of the chosen fragments again.
///
/// # Errors
/// The file cannot be read or written.
pub(super) fn repack(
    file: &File,
    options: Options,
    blocks: &[Block],
    chosen: &Chosen,
    contents: &mut Contents,
    packer: &mut Packer,
) -> Result<(), Error> {
    for (number, ids) in chosen {
        let block = blocks.get(*number as usize).ok_or(Error::Content(*number))?;
        let fragment = read(file, options, block).map_err(Error::ReadBack)?;
        let mut parts: Vec<Part> = ids.iter().filter_map(|id| part(contents, *id)).collect();
        parts.sort_unstable_by_key(|(_, offset, _)| *offset);
        for (id, offset, size) in parts {
            let data = fragment.get(offset..offset.saturating_add(size));
            packer.add(id, data.ok_or(Error::Content(id))?, contents)?;
        }
    }
    packer.flush(contents)
}

fn part(contents: &Contents, id: u32) -> Option<Part> {
    let content = contents.get(id)?;
    match content.place {
        Place::Fragment(_, offset) => {
            Some((id, offset as usize, usize::try_from(content.size).ok()?))
        }
        _ => None,
    }
}

/// Reads a block back and decompresses it.
fn read(file: &File, options: Options, block: &Block) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; (block.size & !STORED) as usize];
    file.read_exact_at(&mut bytes, options.offset + block.offset)?;
    if block.size & STORED != 0 {
        return Ok(bytes);
    }
    let size = options.block_size as usize;
    match options.compression {
        Compression::Zstd(_) => zstd::bulk::decompress(&bytes, size),
        Compression::Gzip(_) => {
            let mut output = vec![0; size];
            let mut engine = libdeflater::Decompressor::new();
            let length = engine.zlib_decompress(&bytes, &mut output);
            output.truncate(length.map_err(std::io::Error::other)?);
            Ok(output)
        }
    }
}
