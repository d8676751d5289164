//! One line of a log: when it was written, and what the plugin said in it.
//!
//! Three forms: RFC 3164 (`Nov 24 03:03:15 host sifcache: ...`), the same with RFC 3339's
//! time as rsyslog writes it today, and the JSON of `journalctl --output=json`.

use crate::event::{self, Event};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer};

/// What the plugin calls itself.
const TAG: &str = "sifcache";
/// Length of `Nov 24 03:03:15`.
const STAMP: usize = 15;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Somebody else's.
    Other,
    /// It bears our name, and the plugin does not write so.
    Forged,
    /// A hit or a miss.
    Event(Timestamp, Box<Event>),
}

/// When a line was written.
pub(super) fn time(line: &str, now: Timestamp) -> Option<Timestamp> {
    let time = match line.starts_with('{') {
        true => entry(line)?.time(),
        false => split(line, now).map(|(time, _)| time),
    };
    // Else one wrong clock would make everything known and in use for years.
    time.filter(|time| *time <= tomorrow(now))
}

/// When, and what the plugin said.
pub(super) fn read(line: &str, now: Timestamp) -> Line {
    let (said, sender) = match line.starts_with('{') {
        true => match entry(line) {
            Some(entry) if entry.identifier.as_deref() == Some(TAG) => {
                (entry.message, entry.sender)
            }
            _ => return Line::Other,
        },
        false => match split(line, now).and_then(|(_, rest)| message(rest)) {
            Some(message) => (Some(message.to_owned()), None),
            None => return Line::Other,
        },
    };
    let event = said.and_then(|said| event::parse(&said));
    // A job's own processes write the plugin's lines; the journal knows who wrote a line.
    let is_own = |event: &Event| {
        sender.as_ref().is_none_or(|uid| *uid == "0" || *uid == event.uid.to_string())
    };
    match (event.filter(is_own), time(line, now)) {
        (Some(event), Some(time)) => Line::Event(time, Box::new(event)),
        _ => Line::Forged,
    }
}

/// What follows our name, if the name is ours: ` HOST sifcache[PROCESS]: MESSAGE`.
fn message(rest: &str) -> Option<&str> {
    let (_host, rest) = rest.trim_start().split_once(' ')?;
    let (tag, message) = rest.split_once(": ")?;
    let process = tag.strip_prefix(TAG)?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let inside = process.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    (process.is_empty() || inside.is_some_and(number)).then_some(message)
}

/// The time, and what follows it.
fn split(line: &str, now: Timestamp) -> Option<(Timestamp, &str)> {
    let line = match line.strip_prefix('<') {
        Some(priority) => priority.split_once('>')?.1,
        None => line,
    };
    if line.starts_with(|c: char| c.is_ascii_digit()) {
        let (stamp, rest) = line.split_once(' ')?;
        return Some((stamp.parse().ok()?, rest));
    }
    Some((year_less(line.get(..STAMP)?, now)?, line.get(STAMP..)?))
}

/// Clocks of nodes differ, and so may their time zones.
fn tomorrow(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX)
}

/// A time without a year has the latest that does not put it into the future.
fn year_less(stamp: &str, now: Timestamp) -> Option<Timestamp> {
    let zone = TimeZone::system();
    let year = now.to_zoned(zone.clone()).year();
    let in_year = |year: i16| {
        let time = DateTime::strptime("%Y %b %e %H:%M:%S", format!("{year} {stamp}")).ok()?;
        Some(time.to_zoned(zone.clone()).ok()?.timestamp())
    };
    match in_year(year) {
        Some(time) if time <= tomorrow(now) => Some(time),
        // Also a 29th of February that this year does not have.
        _ => (1..=4).find_map(|back| in_year(year - back)),
    }
}

/// A line of `journalctl --output=json`.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    time: String,
    #[serde(rename = "SYSLOG_IDENTIFIER", default, deserialize_with = "text")]
    identifier: Option<String>,
    #[serde(rename = "MESSAGE", default, deserialize_with = "text")]
    message: Option<String>,
    /// The user who sent it, as the kernel told the journal.
    #[serde(rename = "_UID", default, deserialize_with = "text")]
    sender: Option<String>,
}

impl Entry {
    fn time(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.time.parse().ok()?).ok()
    }
}

fn entry(line: &str) -> Option<Entry> {
    serde_json::from_str(line).ok()
}

/// A field; none of ours is an array of bytes, as where it is no text, or of several values.
fn text<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(field)? {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
