//! The messages of a pull, in the form of the runtime's own.

use crate::process;
use sifcache_core::command_line::{Level, Verbosity};
use std::io::{self, IsTerminal as _};

/// Prints messages on stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Messages {
    /// Whether messages that are not errors are printed.
    has_info: bool,
    /// Whether warnings are printed. Only `-s` suppresses them.
    has_warnings: bool,
    /// Whether the messages about variables are printed. The runtime prints them before it applies
    /// `QUIET` and `SILENT` from a variable.
    has_variables: bool,
    /// Whether stderr is a terminal.
    is_terminal: bool,
    has_color: bool,
}

/// The severity of a message: its name and the color of the name.
type Severity = (&'static str, &'static str);

const INFO: Severity = ("INFO:", "\x1b[34m");
const WARNING: Severity = ("WARNING:", "\x1b[33m");
const FATAL: Severity = ("FATAL:", "\x1b[31m");

impl Messages {
    /// Selects the messages by the verbosity, as Apptainer does.
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        let has_info = match verbosity.level {
            Level::Debug | Level::Verbose | Level::Normal => true,
            Level::Quiet | Level::Silent => false,
        };
        let has_warnings = verbosity.level != Level::Silent;
        let is_terminal = io::stderr().is_terminal();
        let has_color = is_terminal && verbosity.color;
        Self {
            has_info,
            has_warnings,
            has_variables: !matches!(verbosity.by_flags.level, Level::Quiet | Level::Silent),
            is_terminal,
            has_color,
        }
    }

    /// Prints a message that is not an error.
    pub(crate) fn info(&self, text: &str) {
        if self.has_info {
            process::write_stderr(&self.line(INFO, text));
        }
    }

    /// Prints a message about a possible problem.
    pub(crate) fn warning(&self, text: &str) {
        if self.has_warnings {
            process::write_stderr(&self.line(WARNING, text));
        }
    }

    /// Whether messages about variables are printed.
    pub(crate) fn has_variables(&self) -> bool {
        self.has_variables
    }

    /// Prints a message about a variable.
    pub(crate) fn about_variable(&self, text: &str) {
        process::write_stderr(&self.line(INFO, text));
    }

    /// Prints the error that ends the pull. `-q` and `-s` do not suppress it.
    pub(crate) fn fatal(&self, text: &str) {
        process::write_stderr(&self.line(FATAL, text));
    }

    /// Whether the progress of a long copy is shown.
    pub(crate) fn has_progress(&self) -> bool {
        self.has_info && self.is_terminal
    }

    fn line(&self, (name, color): Severity, text: &str) -> String {
        let (color, reset) = if self.has_color { (color, "\x1b[0m") } else { ("", "") };
        format!("{color}{name:<8}{reset} {text}\n")
    }
}

/// An error of the system as Go prints it: in lower case and without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{FATAL, INFO, Messages, WARNING, reason};
    use sifcache_core::command_line::{ByFlags, Level, Verbosity};
    use std::io;

    fn verbosity(level: Level, by_flags: Level) -> Verbosity {
        Verbosity { level, color: true, by_flags: ByFlags { level: by_flags, color: true } }
    }

    #[test]
    fn lines_have_the_form_of_the_runtime() {
        let verbosity = verbosity(Level::Normal, Level::Normal);
        let plain = Messages { is_terminal: false, has_color: false, ..Messages::new(verbosity) };
        assert_eq!(plain.line(INFO, "Using it"), "INFO:    Using it\n");
        assert_eq!(plain.line(WARNING, "x"), "WARNING: x\n");
        assert_eq!(plain.line(FATAL, "x"), "FATAL:   x\n");
        let colored = Messages { has_color: true, ..plain };
        assert_eq!(colored.line(INFO, "x"), "\x1b[34mINFO:   \x1b[0m x\n");
        assert_eq!(colored.line(FATAL, "x"), "\x1b[31mFATAL:  \x1b[0m x\n");
    }

    #[test]
    fn the_level_decides_about_information() {
        let of = |level, by_flags| Messages::new(verbosity(level, by_flags));
        for (level, has_info, has_warnings) in [
            (Level::Normal, true, true),
            (Level::Quiet, false, true),
            (Level::Silent, false, false),
        ] {
            let messages = of(level, Level::Normal);
            assert_eq!((messages.has_info, messages.has_warnings), (has_info, has_warnings));
            assert!(messages.has_variables && !of(level, Level::Quiet).has_variables, "{level:?}");
        }
    }

    #[test]
    fn reasons_are_spelt_as_in_go() {
        for (errno, text) in [
            (libc::ENOENT, "no such file or directory"),
            (libc::EACCES, "permission denied"),
            (libc::ENOSPC, "no space left on device"),
            (libc::EDQUOT, "disk quota exceeded"),
            (libc::EIO, "input/output error"),
            (libc::ENOTDIR, "not a directory"),
            (libc::EROFS, "read-only file system"),
        ] {
            assert_eq!(reason(&io::Error::from_raw_os_error(errno)), text);
        }
    }
}
