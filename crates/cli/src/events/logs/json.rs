//! Parses a log line that is one JSON object, as written by journald and by the templates that are
//! included in rsyslog and syslog-ng.

use super::header::TAG;
use super::stamp;
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// The relevant fields of an entry. If an entry has several keys with the same meaning, the first
/// one in the list is used.
#[derive(Debug, Default)]
pub(super) struct Entry {
    time: Found,
    program: Found,
    host: Found,
    message: Found,
    sender: Found,
    transport: Found,
    cursor: Found,
}

/// A value, with the index of its key in the list.
type Found = Option<(usize, Option<String>)>;

const TIME: [&str; 8] = [
    JOURNAL_TIME,
    "timereported",
    "timegenerated",
    "@timestamp",
    "ISODATE",
    "timestamp",
    "time",
    "DATE",
];
/// Microseconds since 1970.
const JOURNAL_TIME: &str = "__REALTIME_TIMESTAMP";
const PROGRAM: [&str; 7] =
    ["SYSLOG_IDENTIFIER", "PROGRAM", "programname", "app-name", "syslogtag", "program", "tag"];
const HOST: [&str; 4] = ["_HOSTNAME", "HOST", "hostname", "host"];
const MESSAGE: [&str; 3] = ["MESSAGE", "msg", "message"];
/// The user ID of the sender, which the journal gets from the kernel.
const SENDER: [&str; 1] = ["_UID"];
/// How journald received the entry.
const TRANSPORT: [&str; 1] = ["_TRANSPORT"];
/// The position of the entry in the journal.
const CURSOR: [&str; 1] = ["__CURSOR"];

/// The object in a line. `--output=json-seq` writes a separator before it, and `json-sse` the word
/// `data:`.
pub(super) fn object(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(['\u{1e}', '\u{feff}']);
    let line = line.strip_prefix("data: ").unwrap_or(line).trim_start();
    line.starts_with('{').then_some(line)
}

impl Entry {
    /// Parses the object; returns `None` if it is truncated or has another form.
    pub(super) fn parse(object: &str) -> Option<Self> {
        serde_json::from_str(object).ok()
    }

    /// The time; `None` if it is missing or invalid.
    pub(super) fn time(&self, now: Timestamp) -> Option<Timestamp> {
        let (place, text) = self.time.as_ref()?;
        let text = text.as_ref()?;
        match *place {
            0 => Timestamp::from_microsecond(text.parse().ok()?).ok(),
            _ => stamp::moment(text.as_bytes(), now),
        }
    }

    /// Whether one of its keys is a time.
    pub(super) fn has_time(&self) -> bool {
        self.time.is_some()
    }

    /// Whether the plugin wrote the entry; `None` if no key names the program.
    pub(super) fn is_ours(&self) -> Option<bool> {
        let (_, program) = self.program.as_ref()?;
        let name = program.as_ref().and_then(|name| name.split([':', '[']).next());
        Some(name == Some(TAG))
    }

    /// The host name as written, possibly with its domain.
    pub(super) fn host(&self) -> Option<&str> {
        value(&self.host)
    }

    pub(super) fn message(&self) -> Option<&str> {
        value(&self.message)
    }

    /// The user ID of the sender in decimal, from `_UID`.
    pub(super) fn sender(&self) -> Option<&str> {
        value(&self.sender)
    }

    /// The transport, such as `syslog`, `journal` or `stdout`.
    pub(super) fn transport(&self) -> Option<&str> {
        value(&self.transport)
    }

    /// The position in the journal.
    pub(super) fn cursor(&self) -> Option<&str> {
        value(&self.cursor)
    }
}

fn value(found: &Found) -> Option<&str> {
    found.as_ref()?.1.as_deref()
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut entry = Entry::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let place = |keys: &[&str]| keys.iter().position(|one| *one == key);
            let slots = [
                (&mut entry.time, place(&TIME)),
                (&mut entry.program, place(&PROGRAM)),
                (&mut entry.host, place(&HOST)),
                (&mut entry.message, place(&MESSAGE)),
                (&mut entry.sender, place(&SENDER)),
                (&mut entry.transport, place(&TRANSPORT)),
                (&mut entry.cursor, place(&CURSOR)),
            ];
            match slots.into_iter().find_map(|(slot, place)| Some((slot, place?))) {
                Some((slot, place)) => {
                    let text = text(map.next_value()?);
                    if slot.as_ref().is_none_or(|(before, _)| place < *before) {
                        *slot = Some((place, text));
                    }
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(entry)
    }
}

/// A field as text. journald writes non-text bytes and multiple values as arrays; the plugin's
/// lines have neither.
fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
