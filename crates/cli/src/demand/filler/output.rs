//! What the loop writes: the queue files and the saved state.

use super::{Filler, notices};
use crate::demand::state::Saved;
use crate::error::Failure;
use jiff::{Timestamp, Zoned};
use std::time::Instant;

impl Filler<'_> {
    /// Writes the queue files.
    pub(super) fn publish(&mut self, now: Timestamp, at_once: bool) {
        let instant = Instant::now();
        if !at_once && !self.publishing.is_due(instant) {
            return;
        }
        let quiet = self.policy.is_quiet(&Zoned::now());
        let notices = notices::notices(&self.schedule, &mut self.running, quiet, now, instant);
        let beat = u64::try_from(now.as_second()).unwrap_or_default();
        let pulse = match self.site.follow {
            true => self.board.show_pulse(beat, instant),
            false => Ok(()),
        };
        let result = pulse.and_then(|()| self.board.update(notices, beat, instant, at_once));
        self.publishing.done(instant, instant.elapsed());
        self.report_problem(result);
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
        self.report_problem(result);
    }

    fn report_problem(&mut self, result: Result<(), Failure>) {
        let Err(failure) = result else { return };
        let text = failure.to_string();
        if self.problem.as_ref() != Some(&text) {
            self.site.report.note(&text);
            self.problem = Some(text);
        }
    }
}
