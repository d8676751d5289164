//! Launches: where IMAGE stands in a command line of a runtime.
//!
//! `docs/launch-grammar.md` is the grammar, read from the sources of 119 releases.
//! The runtimes parse with cobra and pflag, and so does this, rule for rule: the
//! part before the subcommand in [`global`], the part after it in [`pflag`].
//! Whatever is unknown or in doubt is no launch, and the command stays as it is.

mod global;
mod pflag;

use crate::flags;

/// One way to start a container, all of which take IMAGE as their first argument.
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
    /// As it is typed.
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

    /// How many arguments the runtime insists on before it looks at IMAGE.
    fn least_arguments(self) -> usize {
        match self {
            Self::Run | Self::Shell | Self::Test => 1,
            Self::Exec | Self::InstanceStart | Self::InstanceRun => 2,
        }
    }
}

/// A command line that starts a runtime on IMAGE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch {
    /// What starts.
    pub subcommand: Subcommand,
    /// Where IMAGE stands, counted from the runtime's own name at 0.
    pub image_index: usize,
    /// The last `--oci` or `--oci=…`, if there is one.
    pub oci: Option<bool>,
}

/// Why a command line is no launch. Indices count from the command's own name at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLaunch {
    /// There is no command at all.
    Empty,
    /// Another program.
    NotRuntime,
    /// The runtime without a subcommand, or with one that starts no container.
    OtherSubcommand,
    /// A flag that no release of a runtime has there.
    UnknownFlag(usize),
    /// A value that the flag cannot take, or none where it needs one.
    BadValue(usize),
    /// The runtime would only print its help or its version.
    Help,
    /// Too few arguments: the runtime would stop with a usage error.
    TooFewArguments,
}

/// Finds IMAGE in `argv`. `runtimes` are the program names that count as a runtime.
///
/// # Errors
/// Why the command line is no launch.
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

/// Whether the file name of `program`, after any path, is one of `runtimes`.
#[must_use]
pub fn is_runtime(program: &[u8], runtimes: &[String]) -> bool {
    let name = file_name(program);
    runtimes.iter().any(|runtime| runtime.as_bytes() == name)
}

/// What stands after the last slash of a path.
#[must_use]
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

impl NotLaunch {
    /// The same error, found `by` arguments further on.
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
