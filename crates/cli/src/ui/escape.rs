//! Escapes names for a terminal.

use std::path::Path;

/// Escapes a name for a terminal. Control characters in a file name could move the cursor or
/// imitate another line; other non-printable characters could reverse the text direction, or make
/// the name look like another one.
pub(crate) fn escape_for_terminal(name: &Path) -> String {
    let text = name.to_string_lossy();
    // The fast path for almost all names.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.into_owned();
    }
    let escape = |c: char| -> String {
        match c {
            // These are printable; only string literals in Rust need to escape them.
            '"' | '\'' | '\\' => c.into(),
            _ => c.escape_debug().collect(),
        }
    };
    text.chars().map(escape).collect()
}

/// Like [`escape_for_terminal`], for text with several lines.
pub(crate) fn escape_lines_for_terminal(text: &str) -> String {
    text.split('\n').map(|line| escape_for_terminal(line.as_ref())).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{escape_for_terminal, escape_lines_for_terminal};
    use std::path::Path;

    #[test]
    fn line_feeds_are_not_escaped() {
        assert_eq!(escape_lines_for_terminal("a\r\nb\u{1b}[2J\n\n"), "a\\r\nb\\u{1b}[2J\n\n");
    }

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(escape_for_terminal(Path::new("a\u{1b}[2J\nb")), "a\\u{1b}[2J\\nb");
        assert_eq!(escape_for_terminal(Path::new("ü:1")), "ü:1");
        assert_eq!(escape_for_terminal(Path::new("\u{9b}2J\u{7f}\0")), "\\u{9b}2J\\u{7f}\\0");
        assert_eq!(
            escape_for_terminal(Path::new("a\u{202e}b\u{200b}c'd\"\\")),
            "a\\u{202e}b\\u{200b}c'd\"\\"
        );
    }
}
