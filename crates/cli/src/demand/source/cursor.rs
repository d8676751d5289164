//! The position in the logs from which to continue after a restart.
//!
//! The caller saves the cursor together with the result of the requests, so a crash at any point
//! repeats lines and loses none.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The version of the format.
const VERSION: u32 = 1;
/// The number of bytes at the start of a file that identify it. The lines of a log begin with their
/// times, so no two logs of a host begin in the same way.
pub(super) const HEAD: usize = 1024;

/// The positions in all logs. A cursor of an unknown version is empty when it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct Cursor {
    version: u32,
    pub(super) logs: Vec<Position>,
}

/// The position in one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The log: a path, or `journal`.
    pub(super) log: String,
    /// Everything that was written before this time has been read.
    pub(super) from: Timestamp,
    /// The files that may get further lines, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<Place>,
    /// The last files that were closed, oldest first. They are not read again under another name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) closed: Vec<Place>,
    /// The last entry of a journal that was read: its `__CURSOR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) entry: Option<String>,
}

/// The position in one file of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// The number of bytes before the next line, uncompressed.
    pub(super) offset: u64,
    /// A time of its last change. Files with later lines are not older.
    pub(super) changed: Timestamp,
    /// The fingerprint of the first bytes before `offset`, at most [`HEAD`].
    pub(super) head: String,
}

impl Place {
    /// The number of bytes that the fingerprint covers.
    pub(super) fn head_length(&self) -> usize {
        usize::try_from(self.offset).map_or(HEAD, |offset| offset.min(HEAD))
    }
}

/// The fingerprint of the first bytes of a file: the start of their SHA-256.
pub(super) fn fingerprint(head: &[u8]) -> String {
    Sha256::digest(head).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

impl Cursor {
    pub(super) fn new(logs: Vec<Position>) -> Self {
        Self { version: VERSION, logs }
    }

    /// The position in this log, if it has been read before.
    pub(super) fn of(&self, log: &str) -> Option<&Position> {
        self.logs.iter().find(|position| position.log == log)
    }
}

impl From<Value> for Cursor {
    fn from(value: Value) -> Self {
        #[derive(Deserialize)]
        struct Known {
            version: u32,
            logs: Vec<Position>,
        }
        let known = serde_json::from_value::<Known>(value).ok();
        let known = known.filter(|known| known.version == VERSION);
        Self::new(known.map_or_else(Vec::new, |known| known.logs))
    }
}

/// A time before which everything has been read, if everything has been read now. It changes once
/// an hour, so that the cursor seldom changes without new lines. The distance of one to two hours
/// allows for clocks of nodes that differ.
pub(super) fn safe(now: Timestamp) -> Timestamp {
    let hour = now.as_second().div_euclid(3600) * 3600;
    let hour = Timestamp::from_second(hour).unwrap_or(now);
    hour.checked_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Place, Position, safe};
    use jiff::Timestamp;

    fn cursor() -> Cursor {
        let changed = Timestamp::UNIX_EPOCH;
        let place = Place { device: 1, inode: 2, offset: 3, changed, head: "0f".to_owned() };
        Cursor::new(vec![Position {
            log: "/var/log/syslog".to_owned(),
            from: Timestamp::UNIX_EPOCH,
            files: vec![place],
            closed: Vec::new(),
            entry: None,
        }])
    }

    #[test]
    fn a_saved_cursor_is_the_same_when_it_is_read() {
        let text = serde_json::to_string(&cursor()).unwrap();
        assert_eq!(
            text,
            r#"{"version":1,"logs":[{"log":"/var/log/syslog","from":"1970-01-01T00:00:00Z","files":[{"device":1,"inode":2,"offset":3,"changed":"1970-01-01T00:00:00Z","head":"0f"}]}]}"#
        );
        assert_eq!(serde_json::from_str::<Cursor>(&text).unwrap(), cursor());
    }

    #[test]
    fn a_cursor_of_another_version_is_empty() {
        let text = serde_json::to_string(&cursor()).unwrap();
        let other = text.replace(r#""version":1"#, r#""version":2"#);
        for text in [other.as_str(), r#"{"version":2,"journal":7}"#, "{}", "null", "[1]"] {
            assert_eq!(serde_json::from_str::<Cursor>(text).unwrap(), Cursor::new(Vec::new()));
        }
    }

    #[test]
    fn the_time_of_a_cursor_changes_once_an_hour() {
        let at = |text: &str| safe(text.parse().unwrap()).to_string();
        assert_eq!(at("2026-11-24T03:00:00Z"), "2026-11-24T02:00:00Z");
        assert_eq!(at("2026-11-24T03:59:59.9Z"), "2026-11-24T02:00:00Z");
        assert_eq!(at("2026-11-24T04:00:00Z"), "2026-11-24T03:00:00Z");
    }
}
