//! Messages on standard error. A write that fails is ignored, because the exit status of a command
//! must not depend on whether its messages can be written. `eprintln!` would panic instead.

use crate::ui::escape::escape_lines_for_terminal;
use std::io::Write as _;

/// Prints text. Its styles are removed if standard error is not a terminal.
pub(crate) fn print(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Prints a message that starts with the name of the command. Control characters are escaped.
pub(crate) fn message(text: &str) {
    print(&format!("sifcache: {}\n", escape_lines_for_terminal(text)));
}
