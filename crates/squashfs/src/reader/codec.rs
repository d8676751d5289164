//! Decompresses blocks, to a limited length.

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, Read};
use zstd::bulk::Decompressor;

/// The memory for one xz block in KiB. A squashfs has a dictionary of at most its block size, which
/// is at most 1 MiB; a file may claim 4 GiB.
const XZ_MEMORY: u32 = 4 << 10;

/// The compression from the superblock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Xz,
    Lz4,
    Zstd,
    /// A compression that is not supported here, with its name.
    Other(&'static str),
}

impl Codec {
    pub(super) fn new(code: u16) -> Self {
        match code {
            1 => Self::Gzip,
            2 => Self::Other("lzma"),
            3 => Self::Other("lzo"),
            4 => Self::Xz,
            5 => Self::Lz4,
            6 => Self::Zstd,
            _ => Self::Other("an unknown compression"),
        }
    }
}

/// A decompressor with its buffers, which are used again for each block.
pub(super) struct Decoder {
    state: State,
}

enum State {
    Gzip(Box<Decompress>),
    Xz,
    Lz4,
    Zstd(Decompressor<'static>),
    Other(&'static str),
}

impl Decoder {
    /// # Errors
    /// If there is no memory for it.
    pub(super) fn new(codec: Codec) -> io::Result<Self> {
        let state = match codec {
            Codec::Gzip => State::Gzip(Box::new(Decompress::new(true))),
            Codec::Xz => State::Xz,
            Codec::Lz4 => State::Lz4,
            Codec::Zstd => State::Zstd(Decompressor::new()?),
            Codec::Other(name) => State::Other(name),
        };
        Ok(Self { state })
    }

    /// Decompresses a block into `to`, which it empties first, to at most `most` bytes.
    ///
    /// # Errors
    /// If the block is invalid or too long.
    pub(super) fn decompress(
        &mut self,
        bytes: &[u8],
        most: usize,
        to: &mut Vec<u8>,
    ) -> io::Result<()> {
        match &mut self.state {
            State::Gzip(stream) => inflate(stream, bytes, most, to),
            State::Xz => {
                let reader = lzma_rust2::XzReader::new_mem_limit(bytes, false, XZ_MEMORY);
                all(reader, most, to)
            }
            State::Zstd(context) => fill(to, most, |to| context.decompress_to_buffer(bytes, to)),
            State::Lz4 => fill(to, most, |to| {
                lz4_flex::block::decompress_into(bytes, to).map_err(io::Error::other)
            }),
            State::Other(name) => Err(io::Error::other(*name)),
        }
    }
}

/// Lets `work` write at most `most` bytes into the buffer.
fn fill(
    to: &mut Vec<u8>,
    most: usize,
    work: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<()> {
    to.resize(most, 0);
    let length = work(to)?;
    to.truncate(length);
    Ok(())
}

/// Decompresses to the end of the stream, so that the checksum is compared. One more byte than
/// allowed is accepted, to recognize a block that is too long.
fn inflate(stream: &mut Decompress, bytes: &[u8], most: usize, to: &mut Vec<u8>) -> io::Result<()> {
    stream.reset(true);
    to.clear();
    to.reserve(most.saturating_add(1));
    match stream.decompress_vec(bytes, to, FlushDecompress::Finish)? {
        _ if to.len() > most => Err(too_long()),
        Status::StreamEnd => Ok(()),
        Status::Ok | Status::BufError => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Reads to the end of the stream, so that the checksum is compared.
fn all(from: impl Read, most: usize, to: &mut Vec<u8>) -> io::Result<()> {
    to.clear();
    from.take(most as u64 + 1).read_to_end(to)?;
    if to.len() > most { Err(too_long()) } else { Ok(()) }
}

fn too_long() -> io::Error {
    io::Error::other("longer than a block")
}
