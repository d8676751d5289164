//! One line of a log: when it was written, and what the plugin said in it.
//!
//! Three forms: RFC 3164 (`Nov 24 03:03:15 host sifcache: ...`), the same with RFC 3339's
//! time as rsyslog writes it today, and the JSON of `journalctl --output=json`.

use crate::event::{self, Event};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// What the plugin calls itself.
const TAG: &str = "sifcache";
/// Length of `Nov 24 03:03:15`.
const STAMP: usize = 15;

/// When a line was written.
pub(super) fn time(line: &str, now: Timestamp) -> Option<Timestamp> {
    match line.starts_with('{') {
        true => journal(line)?.0,
        false => split(line, now).map(|(time, _)| time),
    }
}

/// When, and what the plugin said; nothing if it was somebody else, or no event.
pub(super) fn event(line: &str, now: Timestamp) -> Option<(Timestamp, Event)> {
    if line.starts_with('{') {
        let (time, message) = journal(line)?;
        return Some((time?, event::parse(&message?)?));
    }
    let (time, rest) = split(line, now)?;
    // The host, the tag with or without a process, the message.
    let (_host, rest) = rest.trim_start().split_once(' ')?;
    let (tag, message) = rest.split_once(": ")?;
    let name = tag.split('[').next().unwrap_or_default();
    (name == TAG).then(|| event::parse(message).map(|event| (time, event)))?
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

/// A time without a year has the latest that does not put it into the future.
fn year_less(stamp: &str, now: Timestamp) -> Option<Timestamp> {
    let zone = TimeZone::system();
    let year = now.to_zoned(zone.clone()).year();
    let in_year = |year: i16| {
        let time = DateTime::strptime("%Y %b %e %H:%M:%S", format!("{year} {stamp}")).ok()?;
        Some(time.to_zoned(zone.clone()).ok()?.timestamp())
    };
    // Clocks of nodes differ.
    let tomorrow = now.checked_add(SignedDuration::from_hours(24)).ok()?;
    match in_year(year) {
        Some(time) if time <= tomorrow => Some(time),
        // Also a 29th of February that this year does not have.
        _ => (1..=4).find_map(|back| in_year(year - back)),
    }
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    time: String,
    #[serde(rename = "SYSLOG_IDENTIFIER")]
    identifier: Option<String>,
    // An array of bytes where it is no text.
    #[serde(rename = "MESSAGE")]
    message: Option<serde_json::Value>,
}

/// The time, and the message if it is the plugin's.
fn journal(line: &str) -> Option<(Option<Timestamp>, Option<String>)> {
    let entry: Entry = serde_json::from_str(line).ok()?;
    let time = entry.time.parse().ok().and_then(|time| Timestamp::from_microsecond(time).ok());
    let ours = entry.identifier.as_deref() == Some(TAG);
    let message = entry.message.filter(|_| ours);
    Some((time, message.and_then(|message| Some(message.as_str()?.to_owned()))))
}

#[cfg(test)]
mod tests {
    use super::{event, time};
    use jiff::{Timestamp, tz::TimeZone};

    const SAID: &str = "event=miss uid=1 via=shim reference=docker.io/o/i:1";

    fn now() -> Timestamp {
        "2026-03-02T00:00:00Z".parse().unwrap()
    }

    fn local(text: &str) -> Timestamp {
        let time: jiff::civil::DateTime = text.parse().unwrap();
        time.to_zoned(TimeZone::system()).unwrap().timestamp()
    }

    #[test]
    fn forms_of_a_line() {
        let zulu = |text: &str| text.parse::<Timestamp>().unwrap();
        for (line, expected) in [
            (format!("Mar  1 03:03:15 n1 sifcache: {SAID}"), local("2026-03-01T03:03:15")),
            (format!("<30>Nov 24 03:03:15 n1 sifcache[17]: {SAID}"), local("2025-11-24T03:03:15")),
            (
                format!("2026-02-24T03:03:15.583231+01:00 n1 sifcache: {SAID}"),
                zulu("2026-02-24T02:03:15.583231Z"),
            ),
            (
                format!(
                    r#"{{"__REALTIME_TIMESTAMP":"1771902195000000","_HOSTNAME":"n1",
                    "SYSLOG_IDENTIFIER":"sifcache","MESSAGE":"{SAID}"}}"#
                ),
                zulu("2026-02-24T03:03:15Z"),
            ),
        ] {
            let line = line.replace('\n', " ");
            assert_eq!(event(&line, now()).map(|(time, _)| time), Some(expected), "{line}");
            assert_eq!(time(&line, now()), Some(expected), "{line}");
        }
    }

    #[test]
    fn lines_that_are_not_ours() {
        for line in [
            format!("Mar  1 03:03:15 n1 logger: sifcache: {SAID}"),
            format!("Mar  1 03:03:15 n1 sifcacher: {SAID}"),
            format!("sifcache: {SAID}"),
            format!("Feb 30 03:03:15 n1 sifcache: {SAID}"),
            "2026-02-24T03:03:15Z n1 sifcache: inactive: x".to_owned(),
            format!(
                r#"{{"__REALTIME_TIMESTAMP":"1","SYSLOG_IDENTIFIER":"sudo","MESSAGE":"{SAID}"}}"#
            ),
            r#"{"__REALTIME_TIMESTAMP":"1","SYSLOG_IDENTIFIER":"sifcache","MESSAGE":[1,2]}"#.into(),
            "{".to_owned(),
            "ü".repeat(20),
        ] {
            assert_eq!(event(&line, now()), None, "{line}");
        }
    }
}
