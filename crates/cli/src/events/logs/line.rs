//! Parses one line of a log: the time, and the plugin's message.

use super::header::{self, Header, Program, TAG};
use super::json::{self, Entry};
use super::stamp;
use crate::events::event::{self, Event};
use jiff::Timestamp;
use std::borrow::Cow;

/// The kind of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line of another program, or a message for the admins.
    Other,
    /// An event that the plugin would not write like this, or that another user sent.
    Forged,
    /// A line that seems to be from the plugin, but is truncated or has an unknown form.
    Unread,
    /// A hit or a miss from a node whose clock is ahead.
    Future(Box<Event>),
    /// A hit or a miss.
    Event(Timestamp, Box<Event>),
}

/// The time of a line; `None` if the line has no time, or if the time is in the future.
pub(super) fn time(line: &str, now: Timestamp) -> Option<Timestamp> {
    // If times in the future counted, one wrong clock would make logs appear complete, and images
    // appear to be in use, for years.
    written(line, now).filter(|time| *time <= stamp::tomorrow(now))
}

fn written(line: &str, now: Timestamp) -> Option<Timestamp> {
    match json::object(line) {
        Some(object) => Entry::parse(object)?.time(now),
        None => stamp::moment(header::read(line.as_bytes())?.stamp, now),
    }
}

/// A line with our program name, as written; nothing of it has been checked.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// The text after the tag.
    pub(super) message: Cow<'a, str>,
    /// The host name as written; empty if the line has none.
    pub(super) host: Cow<'a, str>,
    /// `None` if the line has no valid time.
    pub(super) time: Option<Timestamp>,
    /// The entry, if the line is one JSON object.
    pub(super) entry: Option<Entry>,
}

/// Classifies a line.
pub(super) fn read(line: &str, now: Timestamp) -> Line {
    match parts(line, now) {
        Ok(parts) => {
            let sender = parts.entry.as_ref().and_then(Entry::sender);
            classify(&parts.message, sender, parts.time, now)
        }
        Err(line) => line,
    }
}

/// Takes a line apart; returns its kind if it is not one with our program name and a message.
pub(super) fn parts(line: &str, now: Timestamp) -> Result<Parts<'_>, Line> {
    let unread_or_other = || if is_like_ours(line) { Line::Unread } else { Line::Other };
    match json::object(line) {
        Some(object) => {
            let Some(entry) = Entry::parse(object) else { return Err(unread_or_other()) };
            match (entry.is_ours(), entry.message()) {
                (Some(true), Some(message)) => Ok(Parts {
                    message: Cow::Owned(message.to_owned()),
                    host: Cow::Owned(entry.host().unwrap_or_default().to_owned()),
                    time: entry.time(now),
                    entry: Some(entry),
                }),
                (Some(true), None) => Err(Line::Forged),
                (Some(false), _) => Err(Line::Other),
                (None, _) => Err(unread_or_other()),
            }
        }
        None => match header::read(line.as_bytes()) {
            Some(Header { stamp, host, program: Program::Ours(message) }) => Ok(Parts {
                message: String::from_utf8_lossy(message),
                host: String::from_utf8_lossy(host.unwrap_or_default()),
                time: stamp::moment(stamp, now),
                entry: None,
            }),
            _ => Err(unread_or_other()),
        },
    }
}

/// Classifies a message with our program name.
fn classify(message: &str, sender: Option<&str>, time: Option<Timestamp>, now: Timestamp) -> Line {
    let Some(event) = event::parse(message) else {
        return match event::is_like_one(message) {
            // A truncated hit must not be ignored silently.
            true if message.contains("event=hit") => Line::Unread,
            true => Line::Forged,
            false => Line::Other,
        };
    };
    // The plugin's lines are sent by a job's own processes, and the journal records the sender of a
    // line, so the user IDs must match unless root sent the line.
    if !sender.is_none_or(|uid| uid == "0" || uid == event.uid.to_string()) {
        return Line::Forged;
    }
    match time {
        Some(time) if time <= stamp::tomorrow(now) => Line::Event(time, Box::new(event)),
        Some(_) => Line::Future(Box::new(event)),
        None => Line::Unread,
    }
}

/// Whether a line in an unknown form contains a line of the plugin: our name as a word, and the
/// beginning of a message. In journalctl's output formats with several lines per entry, the line
/// `SYSLOG_IDENTIFIER=sifcache` counts as a line of the plugin.
fn is_like_ours(line: &str) -> bool {
    let trimmed = line.trim_start().trim_start_matches('"');
    if let Some(rest) = trimmed.strip_prefix("SYSLOG_IDENTIFIER") {
        return rest.trim_matches(|c: char| !c.is_ascii_alphanumeric()) == TAG;
    }
    // SYSLOG_RAW repeats the same entry.
    !trimmed.starts_with("SYSLOG_RAW") && has_name(line) && has_event(line)
}

fn has_name(line: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    line.match_indices(TAG).any(|(at, _)| {
        let (before, after) = line.split_at(at);
        let after = after.strip_prefix(TAG).and_then(|rest| rest.chars().next());
        !before.ends_with(is_part) && !after.is_some_and(is_part)
    })
}

fn has_event(line: &str) -> bool {
    ["event=hit", "event=miss"].iter().any(|event| {
        line.match_indices(event).any(|(at, _)| {
            let rest = line.get(at + event.len()..).unwrap_or_default();
            let keys = [" job=", " tasks=", " uid="];
            rest.is_empty() || keys.iter().any(|key| rest.starts_with(key) || key.starts_with(rest))
        })
    })
}

#[cfg(test)]
mod tests;
