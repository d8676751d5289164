//! Launches: finds IMAGE in a command line of a runtime.
//!
//! [`command_line`] has the rules of the grammar. A command line that is unknown or ambiguous is
//! not a launch, and the command is left unchanged.

use crate::command_line::{self, Given};
use crate::flags;

/// Why a command line is not a launch.
pub use crate::command_line::NotServed as NotLaunch;
pub use crate::command_line::{file_name, is_runtime};

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

    fn flags(self) -> u16 {
        match self {
            Self::Run => flags::RUN,
            Self::Exec => flags::EXEC,
            Self::Shell => flags::SHELL,
            Self::Test => flags::TEST,
            Self::InstanceStart => flags::INSTANCE_START,
            Self::InstanceRun => flags::INSTANCE_RUN,
        }
    }

    /// The subcommand at the start of `words`, and its number of words.
    fn at_start<A: AsRef<[u8]>>(words: &[A]) -> Option<(Self, usize)> {
        let word = |index: usize| words.get(index).map(AsRef::as_ref);
        match (word(0)?, word(1)) {
            (b"run", _) => Some((Self::Run, 1)),
            (b"exec", _) => Some((Self::Exec, 1)),
            (b"shell", _) => Some((Self::Shell, 1)),
            (b"test", _) => Some((Self::Test, 1)),
            (b"instance", Some(b"start")) => Some((Self::InstanceStart, 2)),
            (b"instance", Some(b"run")) => Some((Self::InstanceRun, 2)),
            _ => None,
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

/// Finds IMAGE in `argv`. `runtimes` are the file names of the runtimes.
///
/// # Errors
/// The command line is not a launch: see [`NotLaunch`].
pub fn find<A: AsRef<[u8]>>(argv: &[A], runtimes: &[String]) -> Result<Launch, NotLaunch> {
    let options = command_line::globals(argv, runtimes)?.subcommand;
    let words = argv.get(options..).unwrap_or_default();
    let (subcommand, used) = Subcommand::at_start(words).ok_or(NotLaunch::OtherSubcommand)?;
    let first = options + used;
    let arguments = argv.get(first..).unwrap_or_default();
    let mut oci = None;
    let parsed = command_line::parse(arguments, subcommand.flags(), &mut |flag, given, _| {
        // `--no-oci` can be ignored: the runtimes refuse it together with OCI mode.
        if let ("oci", Given::Bool(on)) = (flag.long(), given) {
            oci = Some(on);
        }
    });
    let parsed = parsed.map_err(|e| e.shift(first))?;
    if parsed.help {
        return Err(NotLaunch::Help);
    }
    if arguments.len() - parsed.used < subcommand.least_arguments() {
        return Err(NotLaunch::TooFewArguments);
    }
    Ok(Launch { subcommand, image_index: first + parsed.used, oci })
}

#[cfg(test)]
mod tests;
