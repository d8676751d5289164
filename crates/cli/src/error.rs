//! Exit statuses, and the errors that lead to them.

use serde::{Deserialize, Serialize};
use sifcache_core::settings;
use sifcache_plugstack as plugstack;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fmt, io};

/// Exit status of the command. Values above 63 are those of sysexits(3).
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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// Why a subcommand failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The value of `--root` is not a valid `image_root`.
    Root(settings::Error),
    /// plugstack.conf was not found, cannot be read, or has no sifcache line.
    Plugstack(plugstack::Error),
    /// The settings on the sifcache line are invalid: the file, and the error.
    Settings(PathBuf, settings::Error),
    /// A file cannot be written.
    Write(PathBuf, io::Error),
    /// A line of standard input is not a JSON array of strings: the line number, and the error.
    Input(usize, serde_json::Error),
    /// A signal asked the command to stop: its number.
    Stopped(u8),
    /// Any other failure: the exit status, and a message that says what to do.
    Other(Exit, String),
    /// Standard input or output failed.
    Io(io::Error),
}

impl Failure {
    /// A failure without a variant of its own.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self::Other(exit, message.into())
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Root(_) => Exit::USAGE,
            Self::Plugstack(plugstack::Error::Read(..)) | Self::Write(..) | Self::Io(_) => Exit::IO,
            Self::Plugstack(_) | Self::Settings(..) => Exit::CONFIG,
            Self::Input(..) => Exit::DATA,
            Self::Stopped(signal) => Exit::signal(*signal),
            Self::Other(exit, _) => *exit,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(error) => write!(f, "--root: {error}"),
            Self::Plugstack(error) => match error {
                plugstack::Error::NotFound(_) => write!(
                    f,
                    "{error}; say where the images are with --root DIR, \
                     or where the file is with --plugstack FILE"
                ),
                plugstack::Error::NoLine(_) => {
                    write!(f, "{error}; say where the images are with --root DIR")
                }
                plugstack::Error::Read(..) | plugstack::Error::LineEnds(_) => error.fmt(f),
            },
            Self::Settings(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Write(path, error) => write!(f, "cannot write {}: {error}", path.display()),
            Self::Input(line, error) => {
                write!(f, "line {line} of standard input is not a JSON array of strings: {error}")
            }
            Self::Stopped(_) => f.write_str("interrupted"),
            Self::Other(_, message) => f.write_str(message),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
