//! A parsed line with its position in the journal, for commands that continue from a saved
//! position.

use super::json::{self, Entry};
use super::line::{self, Line, Parts};
use jiff::Timestamp;

/// A parsed line, and its position in the journal if it has one.
#[derive(Debug)]
pub(crate) struct Placed<T> {
    /// Its kind.
    pub(crate) found: T,
    /// The position of the entry: journald's `__CURSOR`.
    pub(crate) cursor: Option<String>,
}

/// Parses a line without its line end. `found` returns its kind; its argument is the parts of a
/// line with our program name, or else the kind and the text of the line.
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
            // The position is still needed, so that such lines are not read again.
            let entry = json::object(&text).and_then(Entry::parse);
            Placed { found: found(Err((&line, &text))), cursor: cursor(entry.as_ref()) }
        }
    }
}
