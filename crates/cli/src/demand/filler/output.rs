//! The output of the loop: the queue files, the news and the saved state.

use super::{Filler, notices};
use crate::demand::board::Notice;
use crate::demand::state::Saved;
use crate::error::Failure;
use jiff::{Timestamp, Zoned};
use sifcache_core::queue::State;
use sifcache_core::reference::Reference;
use std::time::{Duration, Instant};

/// The time after which a persistent problem is reported again.
const AGAIN: Duration = Duration::from_secs(600);

/// The problems with the two kinds of files. Each kind of write is repeated every second, so its
/// failures are not all reported.
#[derive(Debug, Default)]
pub(super) struct Problems {
    queue: Problem,
    state: Problem,
}

/// When a problem was last reported.
#[derive(Debug, Default)]
struct Problem(Option<Instant>);

impl Problem {
    /// The message about a failure, unless one was reported less than [`AGAIN`] ago.
    fn news(&mut self, result: Result<(), Failure>, now: Instant) -> Option<String> {
        let failure = result.err()?;
        let is_due = |last| now.saturating_duration_since(last) >= AGAIN;
        self.0.is_none_or(is_due).then(|| {
            self.0 = Some(now);
            failure.to_string()
        })
    }
}

impl Filler<'_> {
    /// Publishes the entries: as news, and as queue files.
    pub(super) fn publish(&mut self, now: Timestamp, at_once: bool) {
        let instant = Instant::now();
        if !at_once && !self.publishing.is_due(instant) {
            return;
        }
        let quiet = self.policy.is_quiet(&Zoned::now());
        let notices = notices::notices(&self.schedule, &mut self.running, quiet, now, instant);
        let beat = beat(now);
        if let Some(news) = &self.site.news {
            news.publish(&notices, beat, instant, at_once);
        }
        let pulse = match self.site.follow {
            true => self.board.show_pulse(beat, instant),
            false => Ok(()),
        };
        let result = pulse.and_then(|()| self.board.update(notices, beat, instant, at_once));
        self.publishing.done(instant, instant.elapsed());
        if let Some(text) = self.problems.queue.news(result, instant) {
            self.site.report.note(&text);
        }
    }

    /// Sends the result to the clients of the listener at once: the image was added.
    pub(super) fn tell_added(&self, reference: &Reference, now: Timestamp) {
        if let Some(news) = &self.site.news {
            let notice = Notice::without_progress(reference.clone(), State::Done);
            news.tell(&notice, beat(now), Instant::now());
        }
    }

    /// Saves the state, if it has changed.
    pub(super) fn save(&mut self, at_once: bool) {
        let begun = Instant::now();
        if !self.saving.is_noted() || !(at_once || self.saving.is_due(begun)) {
            return;
        }
        let saved = Saved::new(self.cursor.clone(), self.schedule.clone());
        let result = self.state.save(self.site.store, &saved);
        self.saving.done(begun, begun.elapsed());
        if result.is_err() {
            // The next attempt is in a second.
            self.saving.note();
        }
        if let Some(text) = self.problems.state.news(result, begun) {
            self.site.report.note(&text);
        }
    }
}

fn beat(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{AGAIN, Problem};
    use crate::error::Failure;
    use std::time::{Duration, Instant};

    #[test]
    fn a_problem_that_goes_on_is_reported_once_in_ten_minutes() {
        let start = Instant::now();
        let fails = || Err(Failure::NoRoom("full".to_owned()));
        let mut problem = Problem::default();
        let second = Duration::from_secs(1);
        assert_eq!(problem.news(Ok(()), start), None);
        assert_eq!(problem.news(fails(), start), Some("full".to_owned()));
        // Another file that can be written does not end it.
        assert_eq!(problem.news(Ok(()), start + second), None);
        assert_eq!(problem.news(fails(), start + 2 * second), None);
        assert_eq!(problem.news(fails(), start + AGAIN), Some("full".to_owned()));
    }
}
