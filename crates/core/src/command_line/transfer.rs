//! Pulls and builds: what both have in common.

use super::environment::{Environment, Variable, Variables};
use super::pflag::{self, Given};
use super::verbosity::Verbosity;
use super::{Error, globals};
use std::fmt;

/// Why a command line is not a pull or a build whose image can come from the cache. Indices are
/// those of argv entries; the program has index 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotServed {
    /// argv is empty.
    Empty,
    /// The program is not a runtime.
    NotRuntime,
    /// The runtime has no subcommand, or another one.
    OtherSubcommand,
    /// No release of a runtime has this flag in this place.
    UnknownFlag(usize),
    /// The value of a flag is invalid or missing, or the name of the target is empty.
    BadValue(usize),
    /// The runtime would only print its help or its version.
    Help,
    /// The number of arguments is wrong: the runtime would stop with a usage error.
    Arguments,
    /// The option changes the result.
    Altering(usize),
    /// The variable changes the result, is invalid, or has different values for the runtimes.
    AlteringVariable(Variable),
    /// A build by root, which keeps the owners of the image. A SIF file may lack them.
    Root,
    /// A build that unpacks in a directory whose path has a `:` or `,`, which works only for images
    /// from a registry.
    Directory,
}

/// The grammar of a subcommand, and its options that change the result.
pub(crate) struct Grammar {
    /// The subcommand.
    pub(crate) word: &'static str,
    /// Its constant in [`crate::flags`].
    pub(crate) command: u16,
    /// The flags that do not change the result, or that the caller handles. All others change it.
    pub(crate) accepted: &'static [&'static str],
    /// The variables of the flags that change the result.
    pub(crate) altering: &'static [Variable],
    /// Whether the runtime still runs, and checks the configuration that global flags select.
    pub(crate) runtime_runs: bool,
}

/// The parts of a command line that do not depend on the subcommand.
pub(crate) struct Transfer<'e> {
    /// The index of the first argument that is neither a flag nor the value of a flag.
    pub(crate) first_argument: usize,
    /// Which messages the runtime prints.
    pub(crate) verbosity: Verbosity,
    /// The variables, for the flags that the caller handles.
    pub(crate) variables: Variables<'e>,
}

impl Grammar {
    /// Parses `argv`. `set` receives each accepted flag with its value.
    pub(crate) fn parse<'a, 'e, A: AsRef<[u8]>>(
        &self,
        argv: &'a [A],
        runtimes: &[String],
        environment: &'e Environment<'e>,
        set: &mut dyn FnMut(&'static str, Given<'a>),
    ) -> Result<Transfer<'e>, NotServed> {
        let globals = globals(argv, runtimes)?;
        let word = argv.get(globals.subcommand).map(AsRef::as_ref);
        if word != Some(self.word.as_bytes()) {
            return Err(NotServed::OtherSubcommand);
        }
        let first = globals.subcommand + 1;
        let tokens = argv.get(first..).unwrap_or_default();
        let mut altering = if self.runtime_runs { None } else { globals.configuration };
        let parsed = pflag::parse(tokens, self.command, &mut |flag, given, index| {
            if self.accepted.contains(&flag.long) {
                set(flag.long, given);
            } else {
                altering = altering.or(Some(first + index));
            }
        });
        let parsed = parsed.map_err(|error| error.shift(first))?;
        if parsed.help {
            return Err(NotServed::Help);
        }
        if let Some(index) = altering {
            return Err(NotServed::Altering(index));
        }
        let program = argv.first().map(AsRef::as_ref).unwrap_or_default();
        let variables = Variables::new(program, environment);
        if let Some(variable) = self.altering.iter().find(|variable| variables.is_set(**variable)) {
            return Err(NotServed::AlteringVariable(*variable));
        }
        Ok(Transfer {
            first_argument: first + parsed.used,
            verbosity: Verbosity::read(globals.messages, &variables)?,
            variables,
        })
    }
}

impl From<Error> for NotServed {
    fn from(error: Error) -> Self {
        match error {
            Error::Empty => Self::Empty,
            Error::NotRuntime => Self::NotRuntime,
            Error::NoSubcommand => Self::OtherSubcommand,
            Error::UnknownFlag(index) => Self::UnknownFlag(index),
            Error::BadValue(index) => Self::BadValue(index),
            Error::Help => Self::Help,
        }
    }
}

impl From<Variable> for NotServed {
    fn from(variable: Variable) -> Self {
        Self::AlteringVariable(variable)
    }
}

impl NotServed {
    /// A stable word for scripts.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Empty => "no-command",
            Self::NotRuntime => "not-a-runtime",
            Self::OtherSubcommand => "no-launch",
            Self::UnknownFlag(_) => "unknown-flag",
            Self::BadValue(_) => "bad-value",
            Self::Help => "help",
            Self::Arguments => "wrong-number-of-arguments",
            Self::Altering(_) => "altering-option",
            Self::AlteringVariable(_) => "altering-variable",
            Self::Root => "build-by-root",
            Self::Directory => "unsuitable-directory",
        }
    }
}

impl fmt::Display for NotServed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no command"),
            Self::NotRuntime => f.write_str("the program is not a container runtime"),
            Self::OtherSubcommand => {
                f.write_str("there is no subcommand that pulls or builds an image")
            }
            Self::UnknownFlag(index) => write!(f, "unknown flag in argument {index}"),
            Self::BadValue(index) => write!(f, "invalid or missing value in argument {index}"),
            Self::Help => f.write_str("the runtime would only print its help or version"),
            Self::Arguments => {
                f.write_str("wrong number of arguments: the runtime would reject the command")
            }
            Self::Altering(index) => write!(f, "the option in argument {index} changes the result"),
            Self::AlteringVariable(variable) => {
                write!(f, "the variable {variable} changes the result")
            }
            Self::Root => {
                f.write_str("a build by root keeps the owners of files, which a SIF file may lack")
            }
            Self::Directory => f.write_str(
                "the path of the directory for the build has a ':' or ',', and the runtime cannot \
                 unpack a SIF file there",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
