//! How full the file system of an image root is.

use serde::Deserialize;
use std::fmt;
use std::io;
use std::path::Path;

/// A part of a file system in percent, from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Percent(u8);

impl Percent {
    /// This number of percent; less than 1 counts as 1, and more than 100 as 100.
    pub(crate) fn new(number: u8) -> Self {
        Self(number.clamp(1, 100))
    }

    /// The next smaller part, but at least 1 %.
    pub(crate) fn less_one(self) -> Self {
        Self::new(self.0.saturating_sub(1))
    }

    /// This part of `total`, rounded down.
    pub(crate) fn of(self, total: u64) -> u64 {
        let part = u128::from(total) * u128::from(self.0) / 100;
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// Parses `90%`.
    ///
    /// # Errors
    /// The text is not a valid percentage.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_suffix('%').filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        match digits.and_then(|text| text.parse().ok()).filter(|part| (1..=100).contains(part)) {
            Some(number) => Ok(Self(number)),
            None => Err(format!("{text:?} is not a valid percentage; write it as 1% to 100%")),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl TryFrom<String> for Percent {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

/// The high and the low watermark of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Images are removed if more than this part is in use.
    pub(crate) high: Percent,
    /// Images are removed until at most this part is in use.
    pub(crate) low: Percent,
}

impl Marks {
    /// Parses `HIGH:LOW`, such as `90%:80%`.
    ///
    /// # Errors
    /// The text is not valid; clap prints the message after the invalid value.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (high, low) = text.split_once(':').ok_or("write it as HIGH:LOW, such as 90%:80%")?;
        let marks = Self { high: Percent::parse(high)?, low: Percent::parse(low)? };
        match marks.low < marks.high {
            true => Ok(marks),
            false => Err("LOW is not below HIGH; write it as 90%:80%".to_owned()),
        }
    }
}

/// An amount of bytes or inodes that is in use, of all that the caller may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) used: u64,
    /// What is used and what the caller may still use: less than the capacity if root has a
    /// reserve.
    pub(crate) total: u64,
}

impl Part {
    /// How much has to be freed: nothing, or enough to get from above the high mark to the low
    /// one.
    pub(crate) fn excess(self, marks: Marks) -> u64 {
        match self.used > marks.high.of(self.total) {
            true => self.used.saturating_sub(marks.low.of(self.total)),
            false => 0,
        }
    }
}

/// How much of a file system is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FillLevel {
    /// In bytes. As in df(1), blocks that are reserved for root do not count.
    pub(crate) space: Part,
    /// The total is zero if the file system has no limit.
    pub(crate) inodes: Part,
}

impl FillLevel {
    /// The file system of `path`.
    ///
    /// # Errors
    /// statvfs(3) fails.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let status = rustix::fs::statvfs(path)?;
        let blocks = status.f_blocks.saturating_sub(status.f_bfree);
        let bytes = |blocks: u64| blocks.saturating_mul(status.f_frsize);
        let inodes = status.f_files.saturating_sub(status.f_ffree);
        let part = |used: u64, free: u64| Part { used, total: used.saturating_add(free) };
        Ok(Self {
            space: part(bytes(blocks), bytes(status.f_bavail)),
            inodes: match status.f_files {
                0 => Part::default(),
                _ => part(inodes, status.f_favail),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{FillLevel, Marks, Part, Percent};

    #[test]
    fn a_part_has_a_percent_sign() {
        assert_eq!(Percent::parse("90%").map(|part| part.of(1_001)), Ok(900));
        assert_eq!(Percent::parse("100%").map(|part| part.of(u64::MAX)), Ok(u64::MAX));
        for wrong in ["", "%", "90", "0%", "101%", "-1%", "+1%", "9.5%", "90 %"] {
            assert!(Percent::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Percent::new(1).less_one(), Percent::new(1));
        assert_eq!(Percent::new(90).less_one(), Percent::new(89));
    }

    #[test]
    fn the_low_mark_is_below_the_high_one() {
        let marks = Marks::parse("90%:80%").unwrap();
        assert_eq!((marks.high, marks.low), (Percent::new(90), Percent::new(80)));
        for wrong in ["", "90%", "80%:80%", "80%:90%", "90:80"] {
            assert!(Marks::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nothing_is_freed_up_to_the_high_mark() {
        let marks = Marks::parse("90%:80%").unwrap();
        let excess = |used| Part { used, total: 1_000 }.excess(marks);
        assert_eq!([0, 900, 901, 1_000].map(excess), [0, 0, 101, 200]);
        assert_eq!(Part::default().excess(marks), 0);
    }

    #[test]
    fn a_real_file_system_has_a_level() {
        let directory = tempfile::tempdir().unwrap();
        let space = FillLevel::of(directory.path()).unwrap().space;
        assert!(0 < space.used && space.used <= space.total, "{space:?}");
        assert!(FillLevel::of(&directory.path().join("none")).is_err());
    }
}
