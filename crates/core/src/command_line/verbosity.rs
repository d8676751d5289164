//! The messages that the user wants from the runtime.

use super::environment::{Variable, Variables, key};
use super::global::Messages;

/// The lowest severity of the messages that the runtime prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `-d`: all messages.
    Debug,
    /// `-v`: in addition to the normal ones, messages with details.
    Verbose,
    /// Information, warnings and errors.
    Normal,
    /// `-q`: warnings and errors.
    Quiet,
    /// `-s`: errors.
    Silent,
}

/// Which messages the runtime prints, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verbosity {
    /// The lowest severity.
    pub level: Level,
    /// Whether messages on a terminal have colors.
    pub color: bool,
    /// The same without the variables.
    pub by_flags: ByFlags,
}

/// Which messages the flags alone select. Apptainer reads the variables later than the flags, so
/// only a flag suppresses its messages about variables. Singularity reads no variable but `DEBUG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByFlags {
    /// The lowest severity.
    pub level: Level,
    /// Whether messages on a terminal have colors.
    pub color: bool,
}

impl Verbosity {
    /// Reads the flags and the variables. A flag takes precedence over its variable.
    ///
    /// # Errors
    /// The value of a variable is invalid, or the runtimes read different values.
    pub(super) fn read(messages: Messages, variables: &Variables<'_>) -> Result<Self, Variable> {
        let is_on = |flag: Option<bool>, name| match flag {
            Some(on) => Ok(on),
            None => Ok(variables.boolean(key(name))?.unwrap_or(false)),
        };
        // All variables are read: the runtime stops at each invalid one.
        let debug = is_on(messages.debug, "DEBUG")?;
        let verbose = is_on(messages.verbose, "VERBOSE")?;
        let quiet = is_on(messages.quiet, "QUIET")?;
        let silent = is_on(messages.silent, "SILENT")?;
        let color = !is_on(messages.nocolor, "NOCOLOR")?;
        let level = match Level::from_switches(debug, verbose, quiet, silent) {
            Some(level) => level,
            None => Level::from_variable(variables.text(&[key("MESSAGELEVEL")])?),
        };
        Ok(Self { level, color, by_flags: ByFlags::new(messages) })
    }
}

/// The lowest severity by the flags and the variables, or by the flags alone if a variable is
/// invalid.
pub(super) fn level(messages: Messages, variables: &Variables<'_>) -> Level {
    Verbosity::read(messages, variables)
        .map_or_else(|_| ByFlags::new(messages).level, |verbosity| verbosity.level)
}

impl Verbosity {
    /// The messages that the flags alone select.
    #[must_use]
    pub const fn without_variables(self) -> Self {
        Self { level: self.by_flags.level, color: self.by_flags.color, ..self }
    }
}

impl ByFlags {
    fn new(messages: Messages) -> Self {
        let [debug, verbose, quiet, silent, nocolor] =
            [messages.debug, messages.verbose, messages.quiet, messages.silent, messages.nocolor]
                .map(|flag| flag == Some(true));
        let level = Level::from_switches(debug, verbose, quiet, silent);
        Self { level: level.unwrap_or(Level::Normal), color: !nocolor }
    }
}

impl Level {
    /// The level of the switch with the highest precedence; `None` if none is on.
    fn from_switches(debug: bool, verbose: bool, quiet: bool, silent: bool) -> Option<Self> {
        let switches = [
            (debug, Self::Debug),
            (verbose, Self::Verbose),
            (quiet, Self::Quiet),
            (silent, Self::Silent),
        ];
        switches.into_iter().find_map(|(on, level)| on.then_some(level))
    }

    /// The level from a number, with which Apptainer 1.2.2 and later can only print more.
    fn from_variable(value: Option<Vec<u8>>) -> Self {
        let number = value.and_then(|value| String::from_utf8(value).ok()?.parse().ok());
        match number.unwrap_or(0) {
            5.. => Self::Debug,
            2..=4 => Self::Verbose,
            i32::MIN..=1 => Self::Normal,
        }
    }
}
