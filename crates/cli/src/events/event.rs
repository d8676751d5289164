//! Parses the plugin's line in syslog: `event=miss job=8 ... reference=...`.
//!
//! Every user of a node can write to syslog, so a line is only accepted if it follows the grammar
//! exactly: values are quoted as the plugin quotes them, numbers consist of digits, and the
//! reference is valid.

use sifcache_core::decision::Kind;
use sifcache_core::fields::{self, Field};
use sifcache_core::reference::Reference;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// A lookup and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The image of a hit; `None` for a miss.
    pub(crate) image: Option<PathBuf>,
    /// The target of the link that a pull has created: `pull=link`.
    pub(crate) link: Option<PathBuf>,
    /// The requested reference.
    pub(crate) reference: Reference,
    /// The job; `None` for a launch outside of a job.
    pub(crate) job: Option<u32>,
    /// The user ID, as the line states it.
    pub(crate) uid: u32,
    /// The kind of the command.
    pub(crate) kind: Kind,
    /// The number of tasks that shared the command, times the number of repetitions that syslog
    /// reports.
    pub(crate) count: u64,
    /// Candidates that were refused, each with the reason.
    pub(crate) refused: Vec<(PathBuf, String)>,
}

/// Whether a text after `sifcache: ` that is no event looks like one. The shim and the command also
/// write messages for the admins to syslog, such as `docker.io/o/i:1 cannot be requested: …`.
pub(crate) fn is_like_one(message: &str) -> bool {
    message.contains("event=")
}

/// Parses the text after `sifcache: `; returns `None` if the plugin would not write it like this.
pub(crate) fn parse(message: &str) -> Option<Event> {
    let (times, message) = repeated(message.trim());
    let fields = fields::parse(message)?;
    let number = |key: &str| first(&fields, key).map(number);
    let is_hit = match first(&fields, "event")? {
        b"hit" => true,
        b"miss" => false,
        _ => return None,
    };
    let tasks = number("tasks").unwrap_or(Some(1))?;
    Some(Event {
        job: number("job").map_or(Some(None), |job| job.map(Some))?,
        uid: number("uid")??,
        kind: kind(first(&fields, "via")),
        count: u64::from(tasks).saturating_mul(times.into()),
        ..subject(is_hit, &fields)?
    })
}

/// The fields of a line.
pub(super) type Fields<'a> = [Field<'a>];

/// The value of the first field with this key.
fn first<'a>(fields: &'a Fields<'_>, key: &str) -> Option<&'a [u8]> {
    fields.iter().find(|(name, _)| *name == key).map(|(_, value)| &**value)
}

/// A hit or a miss, with the image and the lookup from these fields. The other fields of the result
/// are unspecified.
pub(super) fn subject(is_hit: bool, fields: &Fields<'_>) -> Option<Event> {
    let image = match is_hit {
        true => Some(path(first(fields, "image")?)),
        false => None,
    };
    let link = first(fields, "link").filter(|_| is_hit).map(path);
    let mut refused = Vec::new();
    for pair in fields.windows(2) {
        if let [("refused", file), ("why", why)] = pair {
            refused.push((path(file), String::from_utf8_lossy(why).into_owned()));
        }
    }
    let reference = Reference::parse_printed(first(fields, "reference")?).ok()?;
    Some(Event { image, link, reference, job: None, uid: 0, kind: Kind::Launch, count: 1, refused })
}

/// The kind of a command, from the value of `via=`.
pub(super) fn kind(via: Option<&[u8]>) -> Kind {
    match via {
        Some(b"pull") => Kind::Pull,
        Some(b"build") => Kind::Build,
        _ => Kind::Launch,
    }
}

/// Unwraps a message that rsyslog writes in place of identical ones, which is configurable and
/// enabled on Ubuntu: `message repeated 3 times: [ event=...]`. Returns the number of repetitions
/// and the message.
fn repeated(message: &str) -> (u32, &str) {
    let inside = || {
        let (times, rest) = message.strip_prefix("message repeated ")?.split_once(" times: [")?;
        Some((number(times.as_bytes())?, rest.strip_suffix(']')?.trim()))
    };
    inside().unwrap_or((1, message))
}

pub(super) fn number(digits: &[u8]) -> Option<u32> {
    // `parse` would also accept a sign.
    let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn path(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

#[cfg(test)]
mod tests;
