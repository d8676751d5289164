//! Command lines of the runtimes: the rules that launches, pulls and builds share.
//!
//! `docs/launch-grammar.md` describes the grammar, as read from the sources of 119 releases. The
//! runtimes parse their command lines with cobra and pflag. This module follows the same rules:
//! `global` parses the part before the subcommand, `pflag` the part after it. `environment` reads
//! the variables that set flags, and `transfer` combines all of it for pulls and builds.

pub(crate) mod environment;
mod global;
mod not_served;
mod pflag;
pub(crate) mod transfer;
mod verbosity;

use environment::Variables;
pub use environment::{Environment, Variable};
pub use not_served::NotServed;
pub(crate) use pflag::{Given, parse, parse_bool};
pub use verbosity::{ByFlags, Level, Verbosity};

/// Parses the program and the global options of `argv`. `runtimes` are the file names of the
/// runtimes.
pub(crate) fn globals<A: AsRef<[u8]>>(
    argv: &[A],
    runtimes: &[String],
) -> Result<global::Globals, NotServed> {
    let (program, rest) = argv.split_first().ok_or(NotServed::Empty)?;
    if !is_runtime(program.as_ref(), runtimes) {
        return Err(NotServed::NotRuntime);
    }
    global::parse(rest)
}

/// The lowest severity of the messages that the runtime prints for this command line, by its flags
/// and variables. If the variables are invalid, or the runtimes read different values, only the flags
/// count.
#[must_use]
pub fn level<A: AsRef<[u8]>>(
    argv: &[A],
    runtimes: &[String],
    environment: &Environment<'_>,
) -> Level {
    let program = argv.first().map(AsRef::as_ref).unwrap_or_default();
    match globals(argv, runtimes) {
        Ok(globals) => verbosity::level(globals.messages, &Variables::new(program, environment)),
        Err(_) => Level::Normal,
    }
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
