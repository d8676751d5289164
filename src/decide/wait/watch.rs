//! Whether a wait goes on: the rules, without clock and files.

use sifcache_core::queue::{Entry, State};
use std::fmt;
use std::time::Duration;

/// If no answer to the request has arrived after this time, no filler is running.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// If the filler has not changed an entry for this time, it is not running any more.
const BEAT: Duration = Duration::from_secs(30);

/// The number of lookups without an image, one per poll, after the filler has reported that the
/// image has its name. A file server may show the new name late.
const LOOKUPS: u32 = 3;

/// What the file server holds about the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A valid entry.
    Entry(Entry),
    /// No valid entry.
    Nothing,
    /// The file server does not answer.
    NoAnswer,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Wait for the next poll.
    Wait,
    /// Look the image up, because it should have its name now.
    Look,
    /// Stop waiting.
    End(End),
}

/// Why a wait ends without the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Nobody has answered the request.
    NoFiller,
    /// The filler has stopped updating the entry.
    FillerGone,
    /// The policy refuses the image; the text says why.
    Refused(String),
    /// The filler could not add the image; the text says why.
    Failed(String),
    /// The image was added, but has been removed since.
    Removed,
    /// The time is up; the value is its length.
    TimeUp(Duration),
    /// The file server does not answer.
    NoAnswer,
}

/// One wait.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The printed reference of the image.
    reference: String,
    limit: Duration,
    /// The result of the first poll: the beat of the entry, or `None` if there was no entry.
    first: Option<Option<u64>>,
    /// An answer that may be older than the request.
    old: Option<End>,
    /// The last entry that is not final, and the time at which its beat last changed.
    last: Option<(Entry, Duration)>,
    lookups: u32,
}

impl Watch {
    /// A wait for the image with this printed reference, which ends after `limit`.
    pub(crate) fn new(reference: String, limit: Duration) -> Self {
        Self { reference, limit, first: None, old: None, last: None, lookups: 0 }
    }

    /// The printed reference of the image.
    pub(crate) fn reference(&self) -> &str {
        &self.reference
    }

    /// The last entry.
    pub(crate) fn entry(&self) -> Option<&Entry> {
        self.last.as_ref().map(|(entry, _)| entry)
    }

    /// The time until the limit.
    pub(crate) fn left(&self, now: Duration) -> Duration {
        self.limit.saturating_sub(now)
    }

    /// The next step after a poll, at `now` since the start of the wait.
    pub(crate) fn see(&mut self, now: Duration, seen: Seen) -> Step {
        let entry = match seen {
            Seen::NoAnswer => return Step::End(End::NoAnswer),
            // Another reference can have the same file.
            Seen::Entry(entry) if entry.reference == self.reference => Some(entry),
            Seen::Entry(_) | Seen::Nothing => None,
        };
        let is_up = self.left(now).is_zero();
        let beat = entry.as_ref().map(|entry| entry.beat);
        // An entry from before the request may be the answer to an earlier request. One that follows
        // an entry without an answer is not older, even if both are of the same second.
        let is_changed = *self.first.get_or_insert(beat) != beat || self.last.is_some();
        let is_new = is_changed || now >= ANSWER || is_up;
        let answer = match entry.as_ref().map(|entry| (entry.state, entry.reason.clone())) {
            Some((State::Done, _)) => return Step::Look,
            Some((State::Refused, why)) => Some(End::Refused(why)),
            Some((State::Failed, why)) => Some(End::Failed(why)),
            Some((State::Queued | State::Pulling, _)) => {
                self.lookups = 0;
                None
            }
            None => None,
        };
        if let Some(answer) = answer {
            if is_new {
                return Step::End(answer);
            }
            self.old = Some(answer);
            return Step::Wait;
        }
        let since = self.remember(entry, now);
        match since {
            _ if is_up => Step::End(End::TimeUp(self.limit)),
            // News can contain an answer that is in no queue file.
            None if now >= ANSWER => Step::End(self.old.take().unwrap_or(End::NoFiller)),
            Some(since) if now.saturating_sub(since) >= BEAT => Step::End(End::FillerGone),
            _ => Step::Wait,
        }
    }

    /// Keeps the entry. Returns the time at which its beat last changed, if there is an entry.
    fn remember(&mut self, entry: Option<Entry>, now: Duration) -> Option<Duration> {
        let before = self.last.take();
        let since = match (&entry, &before) {
            (Some(entry), Some((before, since))) if entry.beat == before.beat => Some(*since),
            (Some(_), _) => Some(now),
            (None, before) => before.as_ref().map(|(_, since)| *since),
        };
        self.last = entry.or(before.map(|(entry, _)| entry)).zip(since);
        since
    }

    /// The next step after a lookup, at `now`, that has not found the image.
    pub(crate) fn not_found(&mut self, now: Duration) -> Step {
        self.lookups += 1;
        match self.lookups {
            LOOKUPS.. => Step::End(End::Removed),
            _ if self.left(now).is_zero() => Step::End(End::TimeUp(self.limit)),
            _ => Step::Wait,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFiller => f.write_str("no `sifcache fill` has answered"),
            Self::FillerGone => f.write_str("`sifcache fill` has stopped"),
            Self::Refused(why) => write!(f, "the image is refused: {why}"),
            Self::Failed(why) => write!(f, "the image cannot be added: {why}"),
            Self::Removed => f.write_str("the image was removed again"),
            Self::TimeUp(limit) => write!(f, "{} s have passed", limit.as_secs()),
            Self::NoAnswer => f.write_str("the file server does not answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Seen, Step, Watch};
    use crate::decide::wait::example;
    use sifcache_core::queue::{Entry, State};
    use std::time::Duration;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn entry(state: State, beat: u64) -> Seen {
        Seen::Entry(Entry { beat, reason: "why".to_owned(), ..example::entry(state) })
    }

    fn watch() -> Watch {
        Watch::new("docker.io/o/i:1".to_owned(), at(600))
    }

    #[test]
    fn a_filler_has_two_seconds_to_answer() {
        let mut silent = watch();
        assert_eq!(silent.see(at(1), Seen::Nothing), Step::Wait);
        assert_eq!(silent.see(at(2), Seen::Nothing), Step::End(End::NoFiller));
        let mut slow = watch();
        assert_eq!(slow.see(at(1), Seen::Nothing), Step::Wait);
        assert_eq!(slow.see(at(2), entry(State::Queued, 1)), Step::Wait);
        // The file may be missing for a moment later on.
        assert_eq!(slow.see(at(3), Seen::Nothing), Step::Wait);
        assert_eq!(slow.entry().map(|entry| entry.state), Some(State::Queued));
    }

    #[test]
    fn the_entry_of_another_image_is_no_answer() {
        let mut watch = Watch::new("docker.io/o/i:2".to_owned(), at(600));
        for state in [State::Queued, State::Done, State::Refused] {
            assert_eq!(watch.see(at(1), entry(state, 1)), Step::Wait);
        }
        assert_eq!(watch.see(at(2), entry(State::Done, 1)), Step::End(End::NoFiller));
    }

    #[test]
    fn a_filler_that_stops_ends_the_wait() {
        let mut watch = watch();
        assert_eq!(watch.see(at(1), entry(State::Queued, 1)), Step::Wait);
        assert_eq!(watch.see(at(30), entry(State::Queued, 1)), Step::Wait);
        assert_eq!(watch.see(at(31), entry(State::Pulling, 2)), Step::Wait);
        assert_eq!(watch.see(at(60), Seen::Nothing), Step::Wait);
        assert_eq!(watch.see(at(61), entry(State::Pulling, 2)), Step::End(End::FillerGone));
    }

    #[test]
    fn the_filler_decides() {
        let why = || "why".to_owned();
        for (state, step) in [
            (State::Queued, Step::Wait),
            (State::Pulling, Step::Wait),
            (State::Done, Step::Look),
            (State::Refused, Step::End(End::Refused(why()))),
            (State::Failed, Step::End(End::Failed(why()))),
        ] {
            let mut watch = watch();
            assert_eq!(watch.see(at(0), Seen::Nothing), Step::Wait);
            assert_eq!(watch.see(at(0), entry(state, 1)), step, "{state:?}");
        }
        assert_eq!(watch().see(at(0), Seen::NoAnswer), Step::End(End::NoAnswer));
    }

    /// An old answer is not for this request. The filler has two seconds to repeat it.
    #[test]
    fn an_old_answer_is_not_believed_at_once() {
        let refused = || Step::End(End::Refused("why".to_owned()));
        let mut repeated = watch();
        assert_eq!(repeated.see(at(0), entry(State::Refused, 1)), Step::Wait);
        assert_eq!(repeated.see(at(1), entry(State::Refused, 2)), refused());
        let mut other = watch();
        assert_eq!(other.see(at(0), entry(State::Failed, 1)), Step::Wait);
        assert_eq!(other.see(at(1), entry(State::Queued, 2)), Step::Wait);
        assert_eq!(other.see(at(2), entry(State::Refused, 3)), refused());
        let mut old = watch();
        assert_eq!(old.see(at(1), entry(State::Refused, 1)), Step::Wait);
        assert_eq!(old.see(at(2), entry(State::Refused, 1)), refused());
    }

    /// The filler can start and fail within one second, the resolution of a beat. At a site with a
    /// listener, nothing may follow: the queue files cannot be written if the root is read-only.
    #[test]
    fn an_answer_in_the_second_of_the_request_is_believed() {
        for (state, step) in [
            (State::Refused, Step::End(End::Refused("why".to_owned()))),
            (State::Failed, Step::End(End::Failed("why".to_owned()))),
        ] {
            for before in [State::Queued, State::Pulling] {
                let mut watch = watch();
                assert_eq!(watch.see(at(0), entry(before, 1)), Step::Wait);
                assert_eq!(watch.see(at(0), entry(state, 1)), step, "{before:?}");
            }
        }
    }

    /// A relay can pass on an old answer, and then nothing else.
    #[test]
    fn an_old_answer_is_better_than_none() {
        let mut watch = watch();
        assert_eq!(watch.see(at(0), entry(State::Failed, 1)), Step::Wait);
        assert_eq!(watch.see(at(1), Seen::Nothing), Step::Wait);
        let failed = Step::End(End::Failed("why".to_owned()));
        assert_eq!(watch.see(at(2), Seen::Nothing), failed);
    }

    #[test]
    fn an_image_may_appear_late_but_not_never() {
        let mut removed = watch();
        for now in 1..3 {
            assert_eq!(removed.see(at(now), entry(State::Done, 1)), Step::Look);
            assert_eq!(removed.not_found(at(now)), Step::Wait);
        }
        assert_eq!(removed.see(at(3), entry(State::Done, 1)), Step::Look);
        assert_eq!(removed.not_found(at(3)), Step::End(End::Removed));
        // The entry was old, and the filler adds the image again.
        let mut again = watch();
        for round in 0..9 {
            assert_eq!(again.see(at(round), entry(State::Done, round)), Step::Look);
            assert_eq!(again.not_found(at(round)), Step::Wait);
            assert_eq!(again.see(at(round), entry(State::Queued, round)), Step::Wait);
        }
    }

    #[test]
    fn the_time_is_limited() {
        let mut watch = watch();
        assert_eq!(watch.see(at(599), entry(State::Pulling, 1)), Step::Wait);
        assert_eq!(watch.left(at(599)), at(1));
        let up = Step::End(End::TimeUp(at(600)));
        assert_eq!(watch.see(at(600), entry(State::Pulling, 2)), up);
        // An image that is there at the last moment is used.
        assert_eq!(watch.see(at(600), entry(State::Done, 3)), Step::Look);
        assert_eq!(watch.not_found(at(600)), up);
    }

    #[test]
    fn reasons_are_part_of_a_sentence() {
        assert_eq!(End::Refused("rule 3".to_owned()).to_string(), "the image is refused: rule 3");
        assert_eq!(End::TimeUp(at(600)).to_string(), "600 s have passed");
    }
}
