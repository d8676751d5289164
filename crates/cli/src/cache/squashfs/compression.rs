//! Decompresses the blocks of a squashfs.

use std::io::{self, Read};

/// The compression from the superblock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Xz,
    Lz4,
    Zstd,
    /// A compression that is not supported here, with its name.
    Other(&'static str),
}

impl Compression {
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

    /// Decompresses a block to at most `most` bytes.
    ///
    /// # Errors
    /// If the block is invalid or too long.
    pub(super) fn decompress(self, bytes: &[u8], most: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip => all(flate2::read::ZlibDecoder::new(bytes), most),
            Self::Xz => all(lzma_rust2::XzReader::new(bytes, false), most),
            Self::Zstd => zstd::bulk::decompress(bytes, most),
            Self::Lz4 => lz4_flex::block::decompress(bytes, most).map_err(io::Error::other),
            Self::Other(name) => Err(io::Error::other(name)),
        }
    }
}

/// Reads to the end of the stream, so that the checksum is compared.
fn all(from: impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(most);
    from.take(most as u64 + 1).read_to_end(&mut bytes)?;
    match bytes.len() > most {
        true => Err(io::Error::other("longer than a block")),
        false => Ok(bytes),
    }
}
