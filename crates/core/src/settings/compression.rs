//! The compression of images that the command converts itself: the values of `compression=`.

use std::fmt;

/// A compression, with a level if the site chooses one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The level; `None` means the command's default for the algorithm.
    pub level: Option<u8>,
}

/// An algorithm of squashfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// gzip, which every runtime and every kernel can read.
    Gzip,
    /// zstd, which compresses several times faster, but which not every kernel can read.
    Zstd,
}

impl Algorithm {
    /// The name in plugstack.conf.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The highest level. The lowest is 1.
    const fn highest_level(self) -> u8 {
        match self {
            Self::Gzip => 9,
            Self::Zstd => 19,
        }
    }
}

impl Compression {
    pub(super) const DEFAULT: Self = Self { algorithm: Algorithm::Gzip, level: None };

    /// Parses `ALGORITHM[:LEVEL]`.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (name, level) = match value.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (value, None),
        };
        let mut algorithms = [Algorithm::Gzip, Algorithm::Zstd].into_iter();
        let algorithm = algorithms.find(|algorithm| algorithm.name() == name)?;
        let Some(level) = level else { return Some(Self { algorithm, level: None }) };
        let number: u8 = level.parse().ok()?;
        // Rust's `parse` would also accept `+3` and `03`.
        let valid =
            (1..=algorithm.highest_level()).contains(&number) && number.to_string() == level;
        valid.then_some(Self { algorithm, level: Some(number) })
    }
}

impl fmt::Display for Compression {
    /// As in plugstack.conf: `zstd`, `zstd:19`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm.name())?;
        self.level.map_or(Ok(()), |level| write!(f, ":{level}"))
    }
}
