//! Exit statuses of the command.

use serde::{Deserialize, Serialize};
use std::process::ExitCode;

/// Exit status of the command. Values from 64 to 78 are those of sysexits(3), and higher ones are
/// those of signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit(u8);

impl Exit {
    /// Success; for `explain`, a hit.
    pub(crate) const OK: Self = Self(0);
    /// For `explain`: a miss.
    pub(crate) const MISS: Self = Self(1);
    /// A problem was found, or part of the request failed.
    pub(crate) const PROBLEMS: Self = Self(1);
    /// For `explain`: a pass.
    pub(crate) const PASS: Self = Self(2);
    /// Wrong usage.
    pub(crate) const USAGE: Self = Self(64);
    /// Invalid input data.
    pub(crate) const DATA: Self = Self(65);
    /// Something required is unavailable: a program, a registry, the logs.
    pub(crate) const UNAVAILABLE: Self = Self(69);
    /// A file cannot be created: no space, or another file has that name.
    pub(crate) const CANT_CREATE: Self = Self(73);
    /// A read or write failed.
    pub(crate) const IO: Self = Self(74);
    /// It takes longer than the caller wants to wait, or the filler is busy: try again later.
    pub(crate) const TRY_AGAIN: Self = Self(75);
    /// Permission denied.
    pub(crate) const NO_PERMISSION: Self = Self(77);
    /// The site's settings are invalid or missing.
    pub(crate) const CONFIG: Self = Self(78);

    /// The status that shells report for a process that was terminated by this signal: 128 +
    /// number.
    pub(crate) fn signal(number: u8) -> Self {
        Self(128_u8.saturating_add(number))
    }
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        self.0
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}
