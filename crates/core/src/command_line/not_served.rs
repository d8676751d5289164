//! Why a command line is not a launch, a pull or a build that can use an image of the cache.

use super::Variable;
use std::fmt;

/// The reason. Indices are those of argv entries; the program has index 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotServed {
    /// argv is empty.
    Empty,
    /// The program is not a runtime.
    NotRuntime,
    /// The runtime has no subcommand, another one, or the two parsers of the runtime disagree on
    /// it.
    OtherSubcommand,
    /// No release of a runtime has this flag in this place.
    UnknownFlag(usize),
    /// The value of a flag is invalid or missing, or the name of a target is empty.
    BadValue(usize),
    /// The runtime would only print its help or its version.
    Help,
    /// There are too few arguments of a launch: the runtime would stop with a usage error.
    TooFewArguments,
    /// The number of arguments of a pull or build is wrong: the runtime would stop with a usage
    /// error.
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

impl NotServed {
    /// The same reason, with its index increased by `by`.
    pub(crate) fn shift(self, by: usize) -> Self {
        match self {
            Self::UnknownFlag(index) => Self::UnknownFlag(index + by),
            Self::BadValue(index) => Self::BadValue(index + by),
            Self::Altering(index) => Self::Altering(index + by),
            other => other,
        }
    }

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
            Self::TooFewArguments => "too-few-arguments",
            Self::Arguments => "wrong-number-of-arguments",
            Self::Altering(_) => "altering-option",
            Self::AlteringVariable(_) => "altering-variable",
            Self::Root => "build-by-root",
            Self::Directory => "unsuitable-directory",
        }
    }
}

impl From<Variable> for NotServed {
    fn from(variable: Variable) -> Self {
        Self::AlteringVariable(variable)
    }
}

impl fmt::Display for NotServed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no command"),
            Self::NotRuntime => f.write_str("the program is not a container runtime"),
            Self::OtherSubcommand => f.write_str(
                "there is no subcommand that starts a container, or pulls or builds an image",
            ),
            Self::UnknownFlag(index) => write!(f, "unknown flag in argument {index}"),
            Self::BadValue(index) => write!(f, "invalid or missing value in argument {index}"),
            Self::Help => f.write_str("the runtime would only print its help or version"),
            Self::TooFewArguments => {
                f.write_str("too few arguments: the runtime would reject the command")
            }
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
