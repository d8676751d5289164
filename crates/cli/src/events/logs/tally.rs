//! Counts hits and misses. Several threads add them at the same time. The memory depends on the
//! numbers of images, jobs and users, and not on the number of lines.

use super::texts::{Hasher, Texts};
use crate::events::count::{Commands, Numbers};
use crate::events::event::Event;
use crate::events::head::{self, Head};
use jiff::Timestamp;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// The number of parts, each with a lock of its own.
pub(super) const PARTS: usize = 32;

/// Returns the size of an image file in bytes, if it is known.
pub(crate) type Sizes<'a> = &'a (dyn Fn(&Path) -> Option<u64> + Sync);

/// The hits and misses of logs.
pub(crate) struct Tally<'a> {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    sizes: Option<Sizes<'a>>,
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
    /// The time of the last command, even if it is not between the given times.
    pub(crate) last_of_all: Option<Timestamp>,
    /// The size of the image of a hit, if sizes are wanted.
    size: Option<u64>,
}

/// A command that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Added {
    /// Whether it is between the given times.
    pub(super) counts: bool,
    /// The size of its image in bytes, if it is a hit and the size is known.
    pub(super) size: Option<u64>,
}

/// The place of a line: the number of its chunk, and its offset in the chunk.
pub(crate) type Place = (u64, usize);

/// A command that a line is about.
#[derive(Debug)]
pub(super) struct Command<'a> {
    pub(super) head: Head,
    /// The text after the head.
    pub(super) rest: &'a [u8],
    pub(super) time: Timestamp,
    pub(super) place: Place,
}

impl<'a> Tally<'a> {
    /// A tally that counts the commands between these times.
    pub(crate) fn new(since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        let parts = (0..PARTS).map(|_| Mutex::default()).collect();
        Self { since, until, sizes: None, hasher: Hasher::default(), parts }
    }

    /// A tally that also asks for the size of each image, once.
    pub(crate) fn with_sizes(self, sizes: Option<Sizes<'a>>) -> Self {
        Self { sizes, ..self }
    }

    /// The hash of the text of a command, and the number of the part that has this text.
    pub(super) fn hash(&self, command: &Command<'_>) -> (u64, usize) {
        let hash = self.hasher.hash(command.rest);
        // A hash table uses the low half of the hash.
        (hash, usize::try_from(hash >> 32).unwrap_or_default() % PARTS)
    }

    /// The part with this number, for one thread at a time.
    pub(super) fn part(&self, number: usize) -> Option<MutexGuard<'_, Part>> {
        Some(self.parts.get(number)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Like [`Self::part`], but returns `None` if another thread has the part.
    pub(super) fn free_part(&self, number: usize) -> Option<MutexGuard<'_, Part>> {
        match self.parts.get(number)?.try_lock() {
            Ok(part) => Some(part),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Counts a command in its part. `found` is the index of its text, if the part has it. Returns
    /// `None` if the text is not one that the plugin writes after such a head.
    pub(super) fn add(
        &self,
        part: &mut Part,
        command: &Command<'_>,
        hash: u64,
        found: Option<usize>,
    ) -> Option<Added> {
        let Command { head, rest, time, place } = command;
        let texts = part.texts(head.is_hit);
        let new = || {
            let event = head::subject(head.is_hit, std::str::from_utf8(rest).ok()?)?;
            Some(Counts { size: self.size(&event), ..Counts::default() })
        };
        let counts = match found {
            Some(index) => texts.at(index)?,
            None => texts.value(hash, rest, new)?,
        };
        counts.last_of_all = counts.last_of_all.max(Some(*time));
        let early = self.since.is_some_and(|since| *time < since);
        let counted = !early && self.until.is_none_or(|until| *time < until);
        if counted {
            counts.add(head, *time, *place);
        }
        Some(Added { counts: counted, size: counts.size })
    }

    /// Counts an event of any form. Returns its head as well.
    pub(super) fn add_event(
        &self,
        event: &Event,
        time: Timestamp,
        place: Place,
    ) -> Option<(Head, Added)> {
        let (head, rest) = head::of(event);
        let command = Command { head, rest: rest.as_bytes(), time, place };
        let (hash, number) = self.hash(&command);
        let added = self.add(&mut *self.part(number)?, &command, hash, None)?;
        Some((head, added))
    }

    /// The size of the image of an event.
    fn size(&self, event: &Event) -> Option<u64> {
        self.sizes?(event.image.as_deref()?)
    }

    /// The parts, in no particular order. Each text is in one of them, so several threads can
    /// process them at the same time.
    pub(crate) fn into_parts(self) -> impl Iterator<Item = Part> {
        let part = |part: Mutex<Part>| part.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.parts.into_iter().map(part)
    }
}

impl Part {
    fn texts(&mut self, is_hit: bool) -> &mut Texts<Counts> {
        if is_hit { &mut self.hits } else { &mut self.misses }
    }

    /// The texts of hits or of misses.
    pub(super) fn texts_of(&self, is_hit: bool) -> &Texts<Counts> {
        if is_hit { &self.hits } else { &self.misses }
    }

    /// The number of texts.
    pub(crate) fn len(&self) -> usize {
        self.hits.len() + self.misses.len()
    }

    /// Calls `take` with the counts for each text, and with an event of that text. The fields of
    /// its head are unspecified.
    pub(crate) fn each(self, take: &mut dyn FnMut(Event, Counts)) {
        for (is_hit, texts) in [(true, self.hits), (false, self.misses)] {
            texts.each(&mut |rest, counts| {
                let rest = std::str::from_utf8(rest).unwrap_or_default();
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
