//! What a line means to a command that reads a log from where it was, and the place of the line.

use super::json::{self, Entry};
use super::line::{self, Line, Parts};
use jiff::Timestamp;

/// A line, and its place in the journal if it has one.
#[derive(Debug)]
pub(crate) struct Placed<T> {
    /// Its kind.
    pub(crate) found: T,
    /// Journald's name for the place of the entry: `__CURSOR`.
    pub(crate) cursor: Option<String>,
}

/// Parses a line without its line end. `found` returns its kind; it gets the parts of a line with
/// our program name, or else what the line is and its text.
pub(super) fn read<T>(
    line: &[u8],
    now: Timestamp,
    found: impl FnOnce(Result<&Parts<'_>, (&Line, &str)>) -> T,
) -> Placed<T> {
    let text = String::from_utf8_lossy(line);
    let cursor = |entry: Option<&Entry>| entry.and_then(Entry::cursor).map(str::to_owned);
    match line::parts(text.trim_end(), now) {
        Ok(parts) => Placed { found: found(Ok(&parts)), cursor: cursor(parts.entry.as_ref()) },
        Err(line) => {
            // The place still counts, so that such lines are not read again.
            let entry = json::object(&text).and_then(Entry::parse);
            Placed { found: found(Err((&line, &text))), cursor: cursor(entry.as_ref()) }
        }
    }
}
