//! Counts hits and misses. Several threads add them at the same time. The memory depends on the
//! numbers of images, jobs and users, and not on the number of lines.

use crate::events::count::{Commands, Numbers};
use crate::events::event::Event;
use crate::events::head::{self, Head};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The number of parts, each with a lock of its own.
const PARTS: usize = 32;

/// The hits and misses of logs.
#[derive(Debug)]
pub(crate) struct Tally {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    parts: Vec<Mutex<Part>>,
}

/// By the text after the head of a message.
#[derive(Debug, Default)]
struct Part {
    hits: HashMap<Box<str>, Counts>,
    misses: HashMap<Box<str>, Counts>,
}

/// The counts of one text.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// The commands between the given times.
    pub(crate) commands: Commands,
    /// The time of the last of these commands; `None` if there is none.
    pub(crate) last: Option<Timestamp>,
    pub(crate) jobs: Numbers,
    pub(crate) users: Numbers,
    /// The place in the logs of the last of these commands that was read.
    pub(crate) place: Place,
    /// The time of the last command, also if it is not between the given times.
    pub(crate) last_of_all: Option<Timestamp>,
}

/// The place of a line: the number of its chunk, and its offset in the chunk.
pub(crate) type Place = (u64, usize);

impl Tally {
    /// A tally that counts the commands between these times.
    pub(crate) fn new(since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        Self { since, until, parts: (0..PARTS).map(|_| Mutex::default()).collect() }
    }

    /// Counts a command. `rest` is the text after its head. Returns `false` if that is not one that
    /// the plugin writes after such a head.
    pub(super) fn add(&self, head: &Head, rest: &str, time: Timestamp, place: Place) -> bool {
        let Some(part) = self.parts.get(part(rest)) else { return false };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        let all = if head.is_hit { &mut part.hits } else { &mut part.misses };
        let counts = match all.get_mut(rest) {
            Some(counts) => counts,
            None if head::subject(head.is_hit, rest).is_none() => return false,
            None => all.entry(rest.into()).or_default(),
        };
        counts.last_of_all = counts.last_of_all.max(Some(time));
        let early = self.since.is_some_and(|since| time < since);
        if !early && self.until.is_none_or(|until| time < until) {
            counts.add(head, time, place);
        }
        true
    }

    /// Counts an event of any form.
    pub(super) fn add_event(&self, event: &Event, time: Timestamp, place: Place) {
        let (head, rest) = head::of(event);
        self.add(&head, &rest, time, place);
    }

    /// Calls `take` with the counts for each text, and with an event of that text. The fields of its
    /// head have no meaning.
    pub(crate) fn each(self, take: &mut dyn FnMut(Event, Counts)) {
        for part in self.parts {
            let part = part.into_inner().unwrap_or_else(PoisonError::into_inner);
            for (is_hit, all) in [(true, part.hits), (false, part.misses)] {
                for (rest, counts) in all {
                    if let Some(event) = head::subject(is_hit, &rest) {
                        take(event, counts);
                    }
                }
            }
        }
    }
}

impl Counts {
    fn add(&mut self, head: &Head, time: Timestamp, place: Place) {
        self.commands.add(head.kind, head.count);
        self.last = self.last.max(Some(time));
        head.job.into_iter().for_each(|job| self.jobs.insert(job));
        self.users.insert(head.uid);
        self.place = self.place.max(place);
    }
}

/// The part for a text. Texts of different images usually differ in their last bytes.
fn part(rest: &str) -> usize {
    let end = rest.bytes().rev().take(8);
    let sum = end.fold(rest.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    sum % PARTS
}
