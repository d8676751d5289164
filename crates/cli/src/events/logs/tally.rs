//! Counts hits and misses. Several threads add them at the same time. The memory depends on the
//! numbers of images, jobs and users, and not on the number of lines.

use super::texts::{Hasher, Texts};
use crate::events::count::{Commands, Numbers};
use crate::events::event::Event;
use crate::events::head::{self, Head};
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};

/// The number of parts, each with a lock of its own. A power of two.
const PARTS: usize = 32;

/// The hits and misses of logs.
#[derive(Debug)]
pub(crate) struct Tally {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    hasher: Hasher,
    parts: Vec<Mutex<Part>>,
}

/// A part of the texts after the heads of messages, and their counts.
#[derive(Debug, Default)]
pub(crate) struct Part {
    hits: Texts<Counts>,
    misses: Texts<Counts>,
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
        let parts = (0..PARTS).map(|_| Mutex::default()).collect();
        Self { since, until, hasher: Hasher::default(), parts }
    }

    /// Counts a command. `rest` is the text after its head. Returns `false` if that is not one that
    /// the plugin writes after such a head.
    pub(super) fn add(&self, head: &Head, rest: &str, time: Timestamp, place: Place) -> bool {
        let hash = self.hasher.hash(rest);
        let Some(part) = self.parts.get(part(hash)) else { return false };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        let all = if head.is_hit { &mut part.hits } else { &mut part.misses };
        let is_valid = || head::subject(head.is_hit, rest).is_some();
        let counts = all.value(hash, rest, || is_valid().then(Counts::default));
        let Some(counts) = counts else { return false };
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

    /// The parts, in no particular order. Each text is in one of them, so several threads can
    /// process them at the same time.
    pub(crate) fn into_parts(self) -> impl Iterator<Item = Part> {
        let part = |part: Mutex<Part>| part.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.parts.into_iter().map(part)
    }
}

impl Part {
    /// The number of texts.
    pub(crate) fn len(&self) -> usize {
        self.hits.len() + self.misses.len()
    }

    /// Calls `take` with the counts for each text, and with an event of that text. The fields of its
    /// head have no meaning.
    pub(crate) fn each(self, take: &mut dyn FnMut(Event, Counts)) {
        for (is_hit, texts) in [(true, self.hits), (false, self.misses)] {
            texts.each(&mut |rest, counts| {
                if let Some(event) = head::subject(is_hit, rest) {
                    take(event, counts);
                }
            });
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

/// The part for a text with this hash. A hash table uses the low half of the hash.
fn part(hash: u64) -> usize {
    usize::try_from(hash >> 32).unwrap_or_default() % PARTS
}
