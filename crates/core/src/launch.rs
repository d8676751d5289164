//! Launches: finds IMAGE in a command line of a runtime.
//!
//! `docs/launch-grammar.md` describes the grammar, as read from the sources of 119 releases. The
//! runtimes parse their command lines with cobra and pflag. This module follows the same rules:
//! `global` parses the part before the subcommand, `pflag` the part after it. A command line
//! that is unknown or ambiguous is not a launch, and the command is left unchanged.

mod global;
mod pflag;

use crate::flags;

/// A subcommand that starts a container. All of them take IMAGE as their first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Subcommand {
    Run,
    Exec,
    Shell,
    Test,
    InstanceStart,
    InstanceRun,
}

impl Subcommand {
    /// The subcommand as typed on a command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Exec => "exec",
            Self::Shell => "shell",
            Self::Test => "test",
            Self::InstanceStart => "instance start",
            Self::InstanceRun => "instance run",
        }
    }

    fn flags(self) -> u8 {
        match self {
            Self::Run => flags::RUN,
            Self::Exec => flags::EXEC,
            Self::Shell => flags::SHELL,
            Self::Test => flags::TEST,
            Self::InstanceStart => flags::INSTANCE_START,
            Self::InstanceRun => flags::INSTANCE_RUN,
        }
    }

    /// The number of arguments, including IMAGE, that the runtime requires before it reads IMAGE.
    fn least_arguments(self) -> usize {
        match self {
            Self::Run | Self::Shell | Self::Test => 1,
            Self::Exec | Self::InstanceStart | Self::InstanceRun => 2,
        }
    }
}

/// A parsed command line that starts a container from IMAGE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch {
    /// The subcommand of the runtime.
    pub subcommand: Subcommand,
    /// The index of IMAGE in argv; the runtime itself has index 0.
    pub image_index: usize,
    /// The value of the last `--oci` or `--oci=…`, if there is one.
    pub oci: Option<bool>,
}

/// Why a command line is not a launch. Indices are those of argv entries; the program has index 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLaunch {
    /// argv is empty.
    Empty,
    /// The program is not a runtime.
    NotRuntime,
    /// The runtime has no subcommand, or one that does not start a container.
    OtherSubcommand,
    /// No release of a runtime has this flag in this place.
    UnknownFlag(usize),
    /// The value of a flag is invalid or missing.
    BadValue(usize),
    /// The runtime would only print its help or its version.
    Help,
    /// There are too few arguments: the runtime would stop with a usage error.
    TooFewArguments,
}

/// Finds IMAGE in `argv`. `runtimes` are the file names of the runtimes.
///
/// # Errors
/// The command line is not a launch: see [`NotLaunch`].
pub fn find<A: AsRef<[u8]>>(argv: &[A], runtimes: &[String]) -> Result<Launch, NotLaunch> {
    let (program, rest) = argv.split_first().ok_or(NotLaunch::Empty)?;
    if !is_runtime(program.as_ref(), runtimes) {
        return Err(NotLaunch::NotRuntime);
    }
    let (subcommand, used) = global::subcommand(rest)?;
    let first = 1 + used;
    let arguments = argv.get(first..).unwrap_or_default();
    let parsed = pflag::parse(arguments, subcommand.flags()).map_err(|e| e.shift(first))?;
    if parsed.help {
        return Err(NotLaunch::Help);
    }
    if arguments.len() - parsed.used < subcommand.least_arguments() {
        return Err(NotLaunch::TooFewArguments);
    }
    Ok(Launch { subcommand, image_index: first + parsed.used, oci: parsed.oci })
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

impl NotLaunch {
    /// The same error, with its index increased by `by`.
    fn shift(self, by: usize) -> Self {
        match self {
            Self::UnknownFlag(index) => Self::UnknownFlag(index + by),
            Self::BadValue(index) => Self::BadValue(index + by),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
