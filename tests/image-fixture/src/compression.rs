//! The compressed forms in which registries store layers.

use flate2::write::GzEncoder;
use std::io::{self, Write};

/// The length of the table of contents with its header, and of the end of the archive.
const STARGZ_TABLE: usize = 2048;

/// How a layer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// The archive itself.
    Plain,
    /// gzip members one after the other, as parallel compressors write them.
    Gzip {
        /// The number of members.
        members: usize,
    },
    /// Each entry is a gzip member, then a table of contents, then an empty member with an extra
    /// field, as eStargz has them.
    Stargz,
    /// zstd frames one after the other.
    Zstd {
        /// The number of frames.
        frames: usize,
        /// Whether a skippable frame follows the first frame.
        skippable: bool,
    },
}

impl Compression {
    /// The stored form of an archive.
    ///
    /// # Errors
    /// A compressor reports an error, which does not happen in memory.
    pub fn apply(self, archive: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(archive.to_vec()),
            Self::Gzip { members } => {
                let members: io::Result<Vec<_>> = parts(archive, members).map(gzip).collect();
                Ok(members?.concat())
            }
            Self::Stargz => stargz(archive),
            Self::Zstd { frames, skippable } => zstd(archive, frames, skippable),
        }
    }

    /// The usual media type of such a layer.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip { .. } | Self::Stargz => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd { .. } => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// About equal parts.
fn parts(bytes: &[u8], count: usize) -> impl Iterator<Item = &[u8]> {
    let length = bytes.len().div_ceil(count.max(1)).max(1);
    bytes.chunks(length)
}

fn gzip(part: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(4));
    encoder.write_all(part)?;
    encoder.finish()
}

/// The footer of eStargz: an empty member whose extra field holds the offset of the table.
fn footer(offset: usize) -> io::Result<Vec<u8>> {
    let text = format!("{offset:016x}STARGZ");
    let extra = [b"SG".as_slice(), &[22, 0], text.as_bytes()].concat();
    let encoder = flate2::GzBuilder::new().extra(extra);
    encoder.write(Vec::new(), flate2::Compression::none()).finish()
}

/// The archive's last entry is the table of contents, which is a member of its own.
fn stargz(archive: &[u8]) -> io::Result<Vec<u8>> {
    let (entries, table) = archive.split_at(archive.len().saturating_sub(STARGZ_TABLE));
    let mut stored = Vec::new();
    for part in parts(entries, 5) {
        stored.extend(gzip(part)?);
    }
    let offset = stored.len();
    stored.extend(gzip(table)?);
    stored.extend(footer(offset)?);
    Ok(stored)
}

fn zstd(archive: &[u8], frames: usize, skippable: bool) -> io::Result<Vec<u8>> {
    let mut stored = Vec::new();
    for (index, part) in parts(archive, frames).enumerate() {
        stored.extend(zstd::bulk::compress(part, 1)?);
        if skippable && index == 0 {
            stored.extend([0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0]);
            stored.extend(b"extra");
        }
    }
    Ok(stored)
}
