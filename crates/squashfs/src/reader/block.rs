//! A block of data: a part of a file, or a fragment block with the ends of several files.

use super::codec::Decoder;
use super::{Damage, Reader};
use std::io;

/// The bit in the size of a block that marks it as uncompressed.
const STORED: u32 = 1 << 24;

/// A block of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    /// Offset in bytes from the superblock.
    pub(super) at: u64,
    /// The size as stored, including the bit that marks an uncompressed block.
    pub(super) size: u32,
    /// The decompressed length.
    pub(super) length: Length,
}

/// The decompressed length of a block in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Length {
    /// That of a part of a file.
    Exactly(u32),
    /// That of a fragment block, which is not stored: all files must have their ends in it.
    AtLeast(u32),
}

impl Block {
    /// The number of bytes in the file system.
    pub(super) fn stored_size(self) -> u64 {
        u64::from(self.size & !STORED)
    }
}

/// Reads blocks, with buffers that are used again for each block.
pub(super) struct BlockReader<'a> {
    reader: &'a Reader,
    decoder: Decoder,
    stored: Vec<u8>,
    /// The content of the last block.
    pub(super) bytes: Vec<u8>,
}

impl<'a> BlockReader<'a> {
    /// # Errors
    /// If there is no memory for a decompressor.
    pub(super) fn new(reader: &'a Reader) -> io::Result<Self> {
        let decoder = Decoder::new(reader.superblock.codec)?;
        Ok(Self { reader, decoder, stored: Vec::new(), bytes: Vec::new() })
    }

    /// Reads and decompresses a block into `bytes`.
    pub(super) fn read(&mut self, block: Block) -> Result<(), Damage> {
        let size = block.stored_size() as usize;
        let block_size = self.reader.superblock.block_size;
        if size > block_size {
            return Err(Damage::at(block.at, "a block with an invalid length"));
        }
        if block.size & STORED == 0 {
            self.reader.read(block.at, size, &mut self.stored)?;
            let done = self.decoder.decompress(&self.stored, block_size, &mut self.bytes);
            done.map_err(|why| Damage::at(block.at, why))?;
        } else {
            self.reader.read(block.at, size, &mut self.bytes)?;
        }
        let length = self.bytes.len();
        match block.length {
            Length::Exactly(expected) if expected as usize != length => {
                Err(Damage::at(block.at, format!("{length} bytes instead of {expected}")))
            }
            Length::AtLeast(least) if (least as usize) > length => {
                Err(Damage::at(block.at, format!("{length} bytes instead of at least {least}")))
            }
            _ => Ok(()),
        }
    }
}
