//! Parses lines about hits and misses one by one, for counters that continue from a saved position.
//!
//! `misses` and `hits` aggregate the lines of whole logs. A counter also needs to know what
//! triggered each lookup, and the position of the line in the journal.

use super::json::Entry;
use super::line::{Line, Parts};
use super::placed::{self, Placed};
use super::scan;
use crate::events::event::{self, Event};
use jiff::Timestamp;
use sifcache_core::fields;

/// The kind of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A line of another program, or a message for the admins.
    Other,
    /// An event that the plugin would not write like this, or that another user sent.
    Forged,
    /// A line that seems to be from the plugin, but is truncated or has an unknown form.
    Unread,
    /// A hit or a miss.
    Launch(Box<Launch>),
}

/// A hit or a miss.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    pub(crate) event: Event,
    pub(crate) path: Way,
    /// Whether the command waits for the image to be added.
    pub(crate) waits: bool,
    /// The number of lines that this one stands for.
    pub(crate) lines: u64,
    /// The short name of the host; empty if the line names none.
    pub(crate) host: String,
    /// The time of the line, or now if that is earlier or the line has no valid time.
    pub(crate) time: Timestamp,
}

/// What triggered the lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// The plugin, for the command of a task.
    Task,
    /// The shim, for a command in a script.
    Shim,
    /// A `pull`.
    Pull,
    /// A `build`.
    Build,
    /// `sifcache request`.
    Request,
}

impl Way {
    /// All ways.
    pub(crate) const ALL: [Self; 5] =
        [Self::Task, Self::Shim, Self::Pull, Self::Build, Self::Request];

    /// The word for labels.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Shim => "shim",
            Self::Pull => "pull",
            Self::Build => "build",
            Self::Request => "request",
        }
    }

    fn of(via: Option<&[u8]>) -> Self {
        let known = |way: &Self| via == Some(way.word().as_bytes());
        Self::ALL.into_iter().find(known).unwrap_or(Self::Task)
    }
}

/// Parses a line without its line end.
pub(crate) fn read(line: &[u8], now: Timestamp) -> Placed<Found> {
    placed::read(line, now, |parts| match parts {
        Ok(parts) => classify(parts, now),
        Err((Line::Forged, _)) => Found::Forged,
        Err((Line::Unread, _)) => Found::Unread,
        Err(_) => Found::Other,
    })
}

fn classify(parts: &Parts<'_>, now: Timestamp) -> Found {
    let Some(event) = event::parse(&parts.message) else {
        return match event::is_like_one(&parts.message) {
            true if parts.message.contains("event=hit") => Found::Unread,
            true => Found::Forged,
            false => Found::Other,
        };
    };
    let sender = parts.entry.as_ref().and_then(Entry::sender);
    if !sender.is_none_or(|uid| uid == "0" || uid == event.uid.to_string()) {
        return Found::Forged;
    }
    let (via, tasks, waits) = details(&parts.message);
    Found::Launch(Box::new(Launch {
        path: Way::of(via.as_deref()),
        waits,
        lines: event.count.checked_div(tasks).unwrap_or(0).max(1),
        host: scan::short(parts.host.as_bytes()),
        time: parts.time.unwrap_or(now).min(now),
        event,
    }))
}

/// The value of `via=`, the number of tasks, and whether there is a `wait=`. The message may be
/// inside of one about its repetitions.
fn details(message: &str) -> (Option<Vec<u8>>, u64, bool) {
    let inner = message.find("event=").and_then(|at| message.get(at..)).unwrap_or(message);
    let inner = inner.trim_end();
    let inner = if message.starts_with("event=") { inner } else { inner.trim_end_matches(']') };
    let fields = fields::parse(inner.trim_end()).unwrap_or_default();
    let first = |key: &str| fields.iter().find(|(name, _)| *name == key).map(|(_, value)| &**value);
    let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse().ok();
    (
        first("via").map(<[u8]>::to_vec),
        first("tasks").and_then(number).unwrap_or(1),
        first("wait").is_some(),
    )
}

#[cfg(test)]
mod tests {
    use super::{Found, Launch, Way, read};
    use jiff::Timestamp;

    fn launch(message: &str) -> Launch {
        let line = format!("2026-11-24T03:03:15Z n1.site.example sifcache: {message}");
        match read(line.as_bytes(), Timestamp::now()).found {
            Found::Launch(launch) => *launch,
            other => panic!("{message}: {other:?}"),
        }
    }

    #[test]
    fn ways_and_waits() {
        let hit = "reference=docker.io/o/i:1 image=/s/o/i:1";
        for (fields, way) in [
            ("tasks=3 uid=7", Way::Task),
            ("uid=7 via=shim", Way::Shim),
            ("uid=7 via=pull", Way::Pull),
            ("tasks=3 uid=7 via=build", Way::Build),
            ("uid=7 via=request", Way::Request),
            ("uid=7 via=later", Way::Task),
        ] {
            let launch = launch(&format!("event=hit job=8 step=0 node=0 {fields} {hit}"));
            assert_eq!((launch.path, launch.waits), (way, false), "{fields}");
            assert_eq!((launch.host.as_str(), launch.lines), ("n1", 1));
        }
        let waits = launch("event=miss tasks=3 uid=7 reference=docker.io/o/i:1 wait=600");
        assert!(waits.waits && waits.event.image.is_none());
        assert_eq!((waits.event.count, waits.lines), (3, 1));
    }

    #[test]
    fn a_repeated_line_counts_again() {
        let inner = "event=hit tasks=4 uid=7 reference=docker.io/o/i:1 image=/s/o/i:1";
        let launch = launch(&format!("message repeated 5 times: [ {inner}]"));
        assert_eq!((launch.event.count, launch.lines, launch.path), (20, 5, Way::Task));
    }

    #[test]
    fn lines_that_are_no_launches() {
        let now = Timestamp::now();
        for (line, expected) in [
            ("2026-11-24T03:03:15Z n1 cron: sifcache", Found::Other),
            ("2026-11-24T03:03:15Z n1 sifcache: event=hit job=9 ste", Found::Unread),
            ("2026-11-24T03:03:15Z n1 sifcache: event=miss uid=x", Found::Forged),
            ("2026-11-24T03:03:15Z n1 sifcache: o/i:1 cannot be requested: x", Found::Other),
        ] {
            assert_eq!(read(line.as_bytes(), now).found, expected, "{line}");
        }
        let entry = |uid: u32| {
            let message = "event=miss uid=1001 reference=docker.io/o/i:1";
            let text = format!(
                r#"{{"MESSAGE":"{message}","SYSLOG_IDENTIFIER":"sifcache","_UID":"{uid}","_HOSTNAME":"n1","__CURSOR":"s=7","__REALTIME_TIMESTAMP":"1795489395000000"}}"#
            );
            let read = read(text.as_bytes(), now);
            assert_eq!(read.cursor.as_deref(), Some("s=7"));
            read.found
        };
        assert!(matches!(entry(1001), Found::Launch(_)) && matches!(entry(0), Found::Launch(_)));
        assert_eq!(entry(1002), Found::Forged);
    }

    /// A clock that is ahead does not put the last event into the future.
    #[test]
    fn times_in_the_future_are_now() {
        let line = "2099-11-24T03:03:15Z n1 sifcache: event=miss uid=7 reference=docker.io/o/i:1";
        let now = Timestamp::now();
        let Found::Launch(launch) = read(line.as_bytes(), now).found else { panic!() };
        assert_eq!(launch.time, now);
    }
}
