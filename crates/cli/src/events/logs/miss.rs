//! Parses lines about misses as requests, for images that are added on demand.
//!
//! `misses` and `hits` trust the text of a line. For a request, it also matters whether the journal
//! confirms the user in that text.

use super::header;
use super::json::Entry;
use super::line::{Line, Parts};
use super::placed::{self, Placed};
use super::scan;
use crate::events::event;
use jiff::Timestamp;
use sifcache_core::reference::Reference;
use sifcache_core::trust::FIRST_ORDINARY_USER;

/// The program name in the lines of the plugin and the shim.
pub(crate) const NAME: &str = header::TAG;
/// The user ID that the kernel shows for users without an ID in a namespace (`overflowuid`).
const UNMAPPED: u32 = 65_534;
/// The transports for which journald gets the sender of each message from the kernel. For `stdout`,
/// it records the process that opened the stream, which may have passed the stream on.
const BY_MESSAGE: [&str; 2] = ["syslog", "journal"];

/// The kind of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A hit, a message for the admins, or a line of another program.
    Other,
    /// An event that the plugin would not write like this, or that another user sent.
    Forged,
    /// A line that seems to be from the plugin, but is truncated or has an unknown form.
    Unread,
    /// A miss.
    Miss(Box<Miss>),
}

/// A miss.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Miss {
    /// The image.
    pub(crate) reference: Reference,
    /// The user ID, if the line has the fields of a journal that confirm it. Whether these fields
    /// can be trusted depends on where the line was read.
    pub(crate) confirmed: Option<u32>,
    /// The short name of the host; empty if the line names none.
    pub(crate) host: String,
    /// The time of the line, or now if that is earlier or the line has no valid time.
    pub(crate) time: Timestamp,
}

/// Parses a line without its line end.
pub(crate) fn read(line: &[u8], now: Timestamp) -> Placed<Found> {
    placed::read(line, now, |parts| match parts {
        Ok(parts) => classify(parts, now),
        Err((line, text)) => without_message(line, text),
    })
}

fn without_message(line: &Line, text: &str) -> Found {
    match line {
        Line::Forged => Found::Forged,
        Line::Unread if text.contains("event=miss") => Found::Unread,
        _ => Found::Other,
    }
}

fn classify(parts: &Parts<'_>, now: Timestamp) -> Found {
    let Some(event) = event::parse(&parts.message) else {
        let is_miss = event::is_like_one(&parts.message) && !parts.message.contains("event=hit");
        return if is_miss { Found::Forged } else { Found::Other };
    };
    if event.image.is_some() {
        return Found::Other;
    }
    let Ok(confirmed) = confirmed(parts.entry.as_ref(), event.uid) else { return Found::Forged };
    Found::Miss(Box::new(Miss {
        reference: event.reference,
        confirmed,
        host: scan::short(parts.host.as_bytes()),
        time: parts.time.unwrap_or(now).min(now),
    }))
}

/// The user ID in the text of a line, if the journal confirms it; `Err` if another user sent the
/// line.
///
/// Lines of root and of system accounts confirm no user ID: a daemon that relays lines of other
/// hosts writes under its own ID, and the author of such a line could have put that ID into its
/// text.
fn confirmed(entry: Option<&Entry>, uid: u32) -> Result<Option<u32>, ()> {
    let Some(sender) = entry.and_then(Entry::sender) else { return Ok(None) };
    match sender.parse::<u32>() {
        Ok(sender) if sender < FIRST_ORDINARY_USER || sender == UNMAPPED => Ok(None),
        Ok(sender) if sender == uid => {
            let transport = entry.and_then(Entry::transport);
            let by_message = transport.is_some_and(|way| BY_MESSAGE.contains(&way));
            Ok(by_message.then_some(uid))
        }
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests;
