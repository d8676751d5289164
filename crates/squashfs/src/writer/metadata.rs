//! Metadata blocks, which hold all tables.
//!
//! ```text
//! ┌────────────────────────────┬───────┬──────────────────┬───────┬──
//! │ size, bit 15: uncompressed │ bytes │ size of the next │ bytes │ …
//! └────────────────────────────┴───────┴──────────────────┴───────┴──
//!   2 bytes, little-endian      up to 8192 bytes before compression
//! ```
//!
//! All blocks of a stream but the last one have 8192 bytes before compression. An entry may begin
//! in one block and end in the next. A position in a stream is the start of the block in the
//! compressed stream, and the offset in the uncompressed block.

use crate::compression::compressor::Compressor;

/// The length of a metadata block before compression, in bytes.
pub(super) const BLOCK: usize = 8192;
const UNCOMPRESSED: u16 = 1 << 15;

/// A position in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The start of the block, in bytes from the start of the stream.
    pub(super) block: u64,
    /// The offset in the uncompressed block, below 8192.
    pub(super) offset: u16,
}

impl Position {
    /// The position in one number, as inodes and attributes are referred to.
    pub(super) fn reference(self) -> u64 {
        self.block << 16 | u64::from(self.offset)
    }

    pub(super) fn from_reference(reference: u64) -> Self {
        Self { block: reference >> 16, offset: (reference & 0xffff) as u16 }
    }
}

/// A stream of metadata blocks in memory.
#[derive(Debug, Default)]
pub(super) struct Stream {
    blocks: Vec<u8>,
    current: Vec<u8>,
    scratch: Vec<u8>,
}

impl Stream {
    /// The position of the next byte.
    pub(super) fn position(&self) -> Position {
        // `current` is never full: it has at most 8191 bytes.
        let offset = u16::try_from(self.current.len()).unwrap_or(0);
        Position { block: self.blocks.len() as u64, offset }
    }

    /// Appends bytes.
    pub(super) fn put(&mut self, compressor: &mut Compressor, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.current.len()));
            self.current.extend_from_slice(now);
            bytes = later;
            if self.current.len() == BLOCK {
                self.flush(compressor);
            }
        }
    }

    /// Ends the stream.
    pub(super) fn finish(mut self, compressor: &mut Compressor) -> Vec<u8> {
        if !self.current.is_empty() {
            self.flush(compressor);
        }
        self.blocks
    }

    fn flush(&mut self, compressor: &mut Compressor) {
        let length = compressor.compress(&self.current, &mut self.scratch);
        let (bytes, flag) = match length.and_then(|length| self.scratch.get(..length)) {
            Some(bytes) => (bytes, 0),
            None => (self.current.as_slice(), UNCOMPRESSED),
        };
        // At most 8192.
        let size = u16::try_from(bytes.len()).unwrap_or(0) | flag;
        self.blocks.extend_from_slice(&size.to_le_bytes());
        self.blocks.extend_from_slice(bytes);
        self.current.clear();
    }
}
