//! The compression of a squashfs, as a site chooses it.

pub(crate) mod compressor;
mod incompressible;

use std::fmt;
use std::str::FromStr;

/// A compression with its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// gzip, which every reader of squashfs supports. Level 1 to 9.
    Gzip(u32),
    /// zstd, which compresses several times faster. Level 1 to 19.
    Zstd(i32),
}

impl Compression {
    /// gzip with its default level: the fastest one whose result is not larger than that of zlib's
    /// level 9, which mksquashfs uses. See the module `compressor` for figures.
    pub const GZIP: Self = Self::Gzip(5);
    /// zstd with its default level.
    pub const ZSTD: Self = Self::Zstd(3);

    /// The number of the compression in the superblock.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Gzip(_) => 1,
            Self::Zstd(_) => 6,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gzip(level) => write!(f, "gzip:{level}"),
            Self::Zstd(level) => write!(f, "zstd:{level}"),
        }
    }
}

/// A text that is not a compression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a valid compression: use gzip, zstd, gzip:1 to gzip:9, or zstd:1 to zstd:19")]
pub struct InvalidCompression(String);

impl FromStr for Compression {
    type Err = InvalidCompression;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidCompression(text.to_owned());
        let (name, level) = match text.split_once(':') {
            None => (text, None),
            // `parse` accepts a plus sign and leading zeros.
            Some((_, level)) if !level.starts_with(|first| ('1'..='9').contains(&first)) => {
                return Err(invalid());
            }
            Some((name, level)) => (name, Some(level.parse::<u8>().map_err(|_| invalid())?)),
        };
        match (name, level) {
            ("gzip", None) => Ok(Self::GZIP),
            ("zstd", None) => Ok(Self::ZSTD),
            ("gzip", Some(level @ 1..=9)) => Ok(Self::Gzip(level.into())),
            ("zstd", Some(level @ 1..=19)) => Ok(Self::Zstd(level.into())),
            _ => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_compression_and_back() {
        for (text, compression) in [
            ("gzip", Compression::Gzip(5)),
            ("zstd", Compression::Zstd(3)),
            ("gzip:1", Compression::Gzip(1)),
            ("gzip:9", Compression::Gzip(9)),
            ("zstd:1", Compression::Zstd(1)),
            ("zstd:19", Compression::Zstd(19)),
        ] {
            assert_eq!(text.parse(), Ok(compression), "{text}");
            assert_eq!(compression.to_string().parse(), Ok(compression), "{text}");
        }
    }

    #[test]
    fn other_texts_are_errors() {
        for text in
            ["", "xz", "gzip:", "gzip:0", "gzip:10", "gzip:+6", "zstd:03", "zstd:20", "zstd:-1"]
        {
            let error = text.parse::<Compression>().expect_err(text).to_string();
            assert!(error.starts_with(&format!("{text:?} is not a valid compression")), "{error}");
        }
    }
}
