//! Whether a file is a log, for commands that look only at lines with our name.

use super::{header, json};

/// Whether a line starts like a line of a log: with a time, or with a JSON object.
pub(crate) fn is_log_line(line: &[u8]) -> bool {
    if header::read(line).is_some() {
        return true;
    }
    let text = String::from_utf8_lossy(line);
    json::object(&text).and_then(json::Entry::parse).is_some_and(|entry| entry.has_time())
}

#[cfg(test)]
mod tests {
    use super::is_log_line;

    #[test]
    fn lines_of_logs_start_with_a_time_or_are_objects() {
        for line in [
            "2026-11-24T03:03:15Z n1 systemd[1]: Started a session.",
            "<13>Nov 24 03:03:15 n1 a: b",
            r#"{"__REALTIME_TIMESTAMP":"1795889391000000","MESSAGE":"a"}"#,
            "\u{1e}{\"timereported\":\"2026-11-24T03:03:15Z\",\"msg\":\"a\"}",
        ] {
            assert!(is_log_line(line.as_bytes()), "{line}");
        }
        for line in
            ["", "this is no log", "{", r#"{"name":"o/i:1"}"#, "SQLite format 3\0", "\0\u{1}"]
        {
            assert!(!is_log_line(line.as_bytes()), "{line}");
        }
    }
}
