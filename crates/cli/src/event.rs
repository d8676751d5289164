//! The plugin's line in syslog, read back: `event=miss job=8 ... reference=...`.
//!
//! Everybody on a node can write to syslog, so a line is taken for what it says only as
//! far as its grammar goes: numbers are numbers, and a reference is one that parses.

use sifcache_core::reference::Reference;
use std::path::PathBuf;

/// What was looked for, and whether it was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The image that was started; none is a miss.
    pub(crate) image: Option<PathBuf>,
    pub(crate) reference: Reference,
    /// The job; none for a launch outside of jobs.
    pub(crate) job: Option<u32>,
    pub(crate) uid: u32,
    /// How many tasks shared the launch.
    pub(crate) tasks: u32,
    /// Files that were there and did not count, with why.
    pub(crate) refused: Vec<(PathBuf, String)>,
}

/// Reads what follows `sifcache: `; nothing if it is none of these lines.
pub(crate) fn parse(message: &str) -> Option<Event> {
    let fields = fields(message)?;
    let first = |key: &str| fields.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
    let number = |key: &str| first(key).map(|value| value.parse::<u32>().ok());
    let image = match first("event")?.as_str() {
        "hit" => Some(PathBuf::from(first("image")?)),
        "miss" => None,
        _ => return None,
    };
    let mut refused = Vec::new();
    for pair in fields.windows(2) {
        if let [("refused", path), ("why", why)] = pair {
            refused.push((PathBuf::from(path), why.clone()));
        }
    }
    Some(Event {
        image,
        reference: Reference::parse(first("reference")?.as_bytes()).ok()?,
        job: number("job").map_or(Some(None), |job| job.map(Some))?,
        uid: number("uid")??,
        tasks: number("tasks").unwrap_or(Some(1))?,
        refused,
    })
}

/// The `key=value` pairs; nothing if the text is not made of them.
fn fields(text: &str) -> Option<Vec<(&str, String)>> {
    let mut fields = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (value, after) = after.split_once(' ').unwrap_or((after, ""));
                (value.to_owned(), after)
            }
        };
        fields.push((key, value));
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    Some(fields)
}

/// A quoted value, its opening quote taken off, and what follows it. The escapes are those
/// of `escape_ascii`.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes().enumerate();
    while let Some((index, byte)) = rest.next() {
        let plain = match byte {
            b'"' => {
                let value = String::from_utf8_lossy(&bytes).into_owned();
                return Some((value, text.get(index + 1..)?));
            }
            b'\\' => match rest.next()?.1 {
                b't' => b'\t',
                b'r' => b'\r',
                b'n' => b'\n',
                b'x' => hex(rest.next()?.1)? * 16 + hex(rest.next()?.1)?,
                other @ (b'\\' | b'"' | b'\'') => other,
                _ => return None,
            },
            byte => byte,
        };
        bytes.push(plain);
    }
    None
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{fields, parse};
    use std::path::{Path, PathBuf};

    #[test]
    fn lines_of_the_plugin_and_of_the_shim() {
        let event = parse(
            "event=hit job=8 step=0 node=1 tasks=2 uid=1001 reference=docker.io/o/i:1 image=/s/o/i:1",
        )
        .unwrap();
        assert_eq!((event.job, event.uid, event.tasks), (Some(8), 1001, 2));
        assert_eq!(event.image.as_deref(), Some(Path::new("/s/o/i:1")));
        let event = parse(
            "event=miss uid=1002 via=shim reference=docker.io/library/ubuntu:latest \
             refused=/s/ubuntu why=truncated refused=\"/s/a b\" why=unreadable",
        )
        .unwrap();
        assert_eq!((event.job, event.uid, event.tasks, &event.image), (None, 1002, 1, &None));
        let refused = [("/s/ubuntu", "truncated"), ("/s/a b", "unreadable")];
        let expected = refused.map(|(path, why)| (PathBuf::from(path), why.to_owned()));
        assert_eq!(event.refused, expected);
    }

    #[test]
    fn what_somebody_else_wrote() {
        for line in [
            "",
            "event=hit",
            "event=hit uid=1 reference=docker.io/o/i:1",
            "event=miss uid=1 reference=../../etc/passwd",
            "event=miss uid=1 reference=docker.io/o/i:1;reboot",
            "event=miss uid=-1 reference=docker.io/o/i:1",
            "event=miss uid=1 job=x reference=docker.io/o/i:1",
            "event=miss uid=1 tasks=99999999999 reference=docker.io/o/i:1",
            "event=other uid=1 reference=docker.io/o/i:1",
            "event=miss uid=1 reference=\"docker.io/o/i:1",
            "event=miss uid=1 reference=\"\\q\"",
            "inactive: plugstack.conf: unknown key",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    /// The plugin writes with `escape_ascii`.
    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=127_u8 {
            let value = [b'a', byte, b'b'];
            let line = format!("k=\"{}\" z=1", value.escape_ascii());
            let expected = String::from_utf8(value.to_vec()).unwrap();
            assert_eq!(fields(&line), Some(vec![("k", expected), ("z", "1".to_owned())]), "{byte}");
        }
        let line = format!("k=\"{}\"", "ü".as_bytes().escape_ascii());
        assert_eq!(fields(&line), Some(vec![("k", "ü".to_owned())]));
    }
}
