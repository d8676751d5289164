//! Splits the plugin's line into a head, which differs between two launches of one image, and the
//! rest, which names the image. Millions of lines have the same rest, so it is parsed only once.

use super::event::{self, Event, kind, number};
use sifcache_core::decision::Kind;
use sifcache_core::fields;

/// The fields that describe one launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) is_hit: bool,
    /// The job; `None` for a launch outside of a job.
    pub(crate) job: Option<u32>,
    /// The user ID, as the line states it.
    pub(crate) uid: u32,
    /// The kind of the command.
    pub(crate) kind: Kind,
    /// The number of tasks that shared the command, times the number of repetitions.
    pub(crate) count: u64,
}

/// The keys of the fields of a head, in the order of the plugin. Lines with another order are not
/// split.
const KEYS: [&str; 7] = ["event", "job", "step", "node", "tasks", "uid", "via"];

/// Whether a value without quotes can have this byte.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=')
}

/// The place of the key at the start of a text in [`KEYS`], which usually is the place `next` or
/// one soon after it, and the text after the `=`.
fn key(text: &[u8], next: usize) -> Option<(usize, &[u8])> {
    let at = |place: usize| {
        let after = text.strip_prefix(KEYS.get(place)?.as_bytes())?;
        Some((place, after.strip_prefix(b"=")?))
    };
    (next..KEYS.len()).find_map(at).or_else(|| (0..next).find_map(at))
}

/// Splits a message as the plugin writes it. Returns `None` for any other message, which
/// [`event::parse`] may still accept. The head and [`subject`] of the rest together are equivalent
/// to the result of [`event::parse`].
pub(crate) fn split(message: &[u8]) -> Option<(Head, &[u8])> {
    let mut values: [Option<&[u8]>; KEYS.len()] = [None; KEYS.len()];
    let (mut rest, mut next) = (message, 0);
    while !rest.starts_with(b"reference=") {
        let (place, after) = key(rest, next)?;
        let length = after.iter().position(|byte| !is_plain(*byte))?;
        let (value, after) = after.split_at_checked(length)?;
        let value_of_key = values.get_mut(place)?;
        if value.is_empty() || value_of_key.is_some() {
            return None;
        }
        (*value_of_key, rest, next) = (Some(value), after.strip_prefix(b" ")?, place + 1);
    }
    let [event, job, _, _, tasks, uid, via] = values;
    let is_hit = match event? {
        b"hit" => true,
        b"miss" => false,
        _ => return None,
    };
    let number = |value: Option<&[u8]>| value.map(number);
    let head = Head {
        is_hit,
        job: number(job).map_or(Some(None), |job| job.map(Some))?,
        uid: number(uid)??,
        kind: kind(via),
        count: number(tasks).unwrap_or(Some(1))?.into(),
    };
    Some((head, rest))
}

/// Parses the rest of a message after its head. The fields of the head are unspecified in the
/// result. Returns `None` if [`event::parse`] would not accept the message, or if the rest has a
/// field that belongs to the head.
pub(crate) fn subject(is_hit: bool, rest: &str) -> Option<Event> {
    let fields = fields::parse(rest)?;
    let is_of_head = fields.iter().any(|(key, _)| KEYS.contains(key));
    event::subject(is_hit, &fields).filter(|_| !is_of_head)
}

/// The head of an event, and the rest of a message about it.
pub(crate) fn of(event: &Event) -> (Head, String) {
    let head = Head {
        is_hit: event.image.is_some(),
        job: event.job,
        uid: event.uid,
        kind: event.kind,
        count: event.count,
    };
    let value = |path: &std::path::Path| fields::value(path.as_os_str().as_encoded_bytes());
    let mut rest = format!("reference={}", event.reference);
    for (key, path) in [("image", &event.image), ("link", &event.link)] {
        if let Some(path) = path {
            rest.push_str(&format!(" {key}={}", value(path)));
        }
    }
    for (path, why) in &event.refused {
        rest.push_str(&format!(" refused={} why={}", value(path), fields::value(why.as_bytes())));
    }
    (head, rest)
}

#[cfg(test)]
mod tests {
    use super::{Event, Head, of, split, subject};
    use crate::events::event::parse;
    use proptest::prelude::*;

    fn together(message: &str) -> Option<Event> {
        let (Head { is_hit, job, uid, kind, count }, rest) = split(message.as_bytes())?;
        let event = subject(is_hit, std::str::from_utf8(rest).unwrap())?;
        assert_eq!(event.image.is_some(), is_hit);
        Some(Event { job, uid, kind, count, ..event })
    }

    #[test]
    fn lines_of_the_plugin_are_split() {
        for message in [
            "event=hit job=8 step=0 node=1 tasks=2 uid=1001 reference=docker.io/o/i:1 image=/s/o/i:1",
            "event=miss uid=1002 via=shim reference=docker.io/library/ubuntu:latest wait=600 \
             refused=/s/ubuntu why=truncated refused=\"/s/a b uid=7\" why=unreadable",
            "event=hit job=9 step=batch node=0 uid=7 via=pull reference=o/i:1 image=\"/s/o i:1\" \
             link=/s/o/i@sha256:0f",
        ] {
            let event = parse(message);
            assert!(event.is_some() && together(message) == event, "{message}");
            let (head, rest) = of(&event.clone().unwrap());
            assert_eq!(Some(head), split(message.as_bytes()).map(|(head, _)| head), "{message}");
            let again = subject(head.is_hit, &rest).unwrap();
            let event = event.unwrap();
            let names =
                |event: &Event| (event.image.clone(), event.link.clone(), event.refused.clone());
            assert_eq!(names(&again), names(&event), "{message}");
            assert_eq!(again.reference.to_string(), event.reference.to_string(), "{message}");
        }
    }

    #[test]
    fn other_lines_are_not_split() {
        for message in [
            "event=hit uid=1 reference=docker.io/o/i:1",
            "event=hit uid=1 reference=docker.io/o/i:1 image=/s/i uid=2",
            "event=hit uid=1 uid=2 reference=docker.io/o/i:1 image=/s/i",
            "event=hit uid=1 image=/s/i reference=docker.io/o/i:1",
            "event=hit uid=\"1\" reference=docker.io/o/i:1 image=/s/i",
            "event=miss uid=1 job= reference=docker.io/o/i:1",
            "event=miss uid=1  reference=docker.io/o/i:1",
            "event=miss reference=docker.io/o/i:1",
            "",
        ] {
            assert_eq!(together(message), None, "{message}");
        }
    }

    proptest! {
        /// Whatever is split has the same meaning as a whole.
        #[test]
        fn a_split_line_means_the_same(
            message in "event=(hit|miss)( (job|uid|tasks|via|x)=[0-9a\"=]{0,3}){0,4} reference=o/i:1\
                        ( (image|refused|why|uid|event)=[/a\"= ]{0,4}){0,4}",
        ) {
            let whole = parse(&message);
            if let Some(event) = together(&message) {
                prop_assert_eq!(Some(event), whole);
            }
        }
    }
}
