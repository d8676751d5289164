//! Exit statuses, and errors with the one that each leads to.

use serde::{Deserialize, Serialize};
use sifcache_core::settings;
use sifcache_plugstack as plugstack;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fmt, io};

/// How the command ends. Above 63 the numbers are those of sysexits(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit(u8);

impl Exit {
    /// Success; of `explain`, a hit.
    pub(crate) const OK: Self = Self(0);
    /// Of `explain`, a miss.
    pub(crate) const MISS: Self = Self(1);
    /// Something was found wrong, or did not work for all that was asked for.
    pub(crate) const FOUND: Self = Self(1);
    /// Of `explain`, a pass.
    pub(crate) const PASS: Self = Self(2);
    /// The command line is wrong.
    pub(crate) const USAGE: Self = Self(64);
    /// The input is wrong.
    pub(crate) const DATA: Self = Self(65);
    /// Something that is needed is not there: a program, a registry, the logs.
    pub(crate) const UNAVAILABLE: Self = Self(69);
    /// A file cannot be made: no space, or something is in its place.
    pub(crate) const CANT_CREATE: Self = Self(73);
    /// Reading or writing failed.
    pub(crate) const IO: Self = Self(74);
    /// The caller may not do that.
    pub(crate) const NO_PERMISSION: Self = Self(77);
    /// The settings of the site are wrong or missing.
    pub(crate) const CONFIG: Self = Self(78);

    /// Ended by a signal, said as shells say it.
    pub(crate) fn signal(number: u8) -> Self {
        Self(128_u8.saturating_add(number))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// Why a subcommand cannot go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// `--root` with a value that no `image_root` could have.
    Root(settings::Error),
    /// There is no line of ours in plugstack.conf.
    Plugstack(plugstack::Error),
    /// Our line in plugstack.conf is wrong.
    Settings(PathBuf, settings::Error),
    /// A file cannot be written.
    Write(PathBuf, io::Error),
    /// A line of standard input is not what it should be.
    Input(usize, serde_json::Error),
    /// A signal asked the command to end: its number.
    Stopped(u8),
    /// Anything else, with what to do about it.
    Other(Exit, String),
    /// Standard input or output failed.
    Io(io::Error),
}

impl Failure {
    /// A failure that one place alone has.
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
