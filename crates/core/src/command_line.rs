//! Command lines of the runtimes: the rules that launches, pulls and builds share.
//!
//! `docs/launch-grammar.md` describes the grammar, as read from the sources of 119 releases. The
//! runtimes parse their command lines with cobra and pflag. This module follows the same rules:
//! `global` parses the part before the subcommand, `pflag` the part after it. `environment` reads
//! the variables that set flags, and `transfer` combines all of it for pulls and builds.

pub(crate) mod environment;
mod global;
mod pflag;
pub(crate) mod transfer;
mod verbosity;

pub use environment::{Environment, Variable};
pub(crate) use pflag::{Given, parse, parse_bool};
pub use transfer::NotServed;
pub use verbosity::{Level, Verbosity};

/// Why a command line is not parsed further. Indices are those of argv entries; the program has
/// index 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// argv is empty.
    Empty,
    /// The program is not a runtime.
    NotRuntime,
    /// The runtime has no subcommand, or the two parsers of the runtime disagree on it.
    NoSubcommand,
    /// No release of a runtime has this flag in this place.
    UnknownFlag(usize),
    /// The value of a flag is invalid or missing.
    BadValue(usize),
    /// The runtime would only print its help or its version.
    Help,
}

impl Error {
    /// The same error, with its index increased by `by`.
    pub(crate) fn shift(self, by: usize) -> Self {
        match self {
            Self::UnknownFlag(index) => Self::UnknownFlag(index + by),
            Self::BadValue(index) => Self::BadValue(index + by),
            other => other,
        }
    }
}

/// Parses the program and the global options of `argv`. `runtimes` are the file names of the
/// runtimes.
pub(crate) fn globals<A: AsRef<[u8]>>(
    argv: &[A],
    runtimes: &[String],
) -> Result<global::Globals, Error> {
    let (program, rest) = argv.split_first().ok_or(Error::Empty)?;
    if !is_runtime(program.as_ref(), runtimes) {
        return Err(Error::NotRuntime);
    }
    global::parse(rest)
}

/// Whether the file name of the path `program` is one of `runtimes`.
#[must_use]
pub fn is_runtime(program: &[u8], runtimes: &[String]) -> bool {
    let name = file_name(program);
    runtimes.iter().any(|runtime| runtime.as_bytes() == name)
}

/// The part of a path after its last slash.
#[must_use]
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}
