//! Time: a clock that changes of the host's clock do not affect, and rate limits for repeated work.

use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

/// The time of the start plus the time since the start. A change of the host's clock has no effect on
/// it, so that pauses do not end early and limits per hour stay in force.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Timestamp,
    at: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: Timestamp::now(), at: Instant::now() }
    }

    pub(super) fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.at.elapsed()).unwrap_or(SignedDuration::MAX);
        self.started.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

/// The work may take one part in this number of the time.
const SHARE: u32 = 20;
/// The shortest time between two runs of the work.
const INTERVAL: Duration = Duration::from_secs(1);
/// The same, for urgent work. It is not delayed for longer than [`INTERVAL`], however long it takes:
/// jobs wait two seconds for an answer.
const HURRY: Duration = Duration::from_millis(200);

/// Decides when work is due: about once per second, or less often if it takes long.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<(Instant, Duration)>,
    noted: bool,
    hurry: bool,
}

impl Pace {
    /// Notes a change.
    pub(super) fn note(&mut self) {
        self.noted = true;
    }

    /// Notes a change that is urgent, because a job waits for it.
    pub(super) fn hurry(&mut self) {
        self.hurry = true;
    }

    pub(super) fn is_noted(&self) -> bool {
        self.noted
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.last.is_none_or(|(last, took)| {
            let share = took.saturating_mul(SHARE);
            let interval =
                if self.hurry { share.clamp(HURRY, INTERVAL) } else { share.max(INTERVAL) };
            now.saturating_duration_since(last) >= interval
        })
    }

    pub(super) fn done(&mut self, begun: Instant, took: Duration) {
        *self = Self { last: Some((begun, took)), ..Self::default() };
    }
}

/// The number of lines about verdicts in a minute. Everybody can cause such lines.
const LINES: u64 = 100;

/// Limits the number of lines in a log.
#[derive(Debug, Default)]
pub(super) struct Lines {
    since: Option<Instant>,
    count: u64,
}

impl Lines {
    /// Whether one more line may be printed, and the number of lines that were not printed in the
    /// minute before, if it has just ended.
    pub(super) fn may_print(&mut self, now: Instant) -> (bool, Option<u64>) {
        let mut withheld = None;
        let is_over = |since| now.saturating_duration_since(since) >= Duration::from_secs(60);
        if self.since.is_none_or(is_over) {
            withheld = self.count.checked_sub(LINES).filter(|count| *count > 0);
            *self = Self { since: Some(now), count: 0 };
        }
        self.count += 1;
        (self.count <= LINES, withheld)
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES, Lines, Pace};
    use std::time::{Duration, Instant};

    #[test]
    fn slow_work_is_done_more_seldom() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::default();
        assert!(pace.is_due(start));
        pace.note();
        pace.done(start, Duration::ZERO);
        assert!(!pace.is_noted() && !pace.is_due(after(999)) && pace.is_due(after(1000)));
        pace.hurry();
        assert!(!pace.is_due(after(199)) && pace.is_due(after(200)));
        pace.done(start, Duration::from_millis(100));
        assert!(!pace.is_due(after(1999)) && pace.is_due(after(2000)));
        pace.hurry();
        assert!(!pace.is_due(after(999)) && pace.is_due(after(1000)));
    }

    #[test]
    fn lines_of_a_minute_are_bounded() {
        let start = Instant::now();
        let mut lines = Lines::default();
        let printed =
            |lines: &mut Lines, now| (0..LINES + 7).filter(|_| lines.may_print(now).0).count();
        assert_eq!(printed(&mut lines, start) as u64, LINES);
        assert_eq!(lines.may_print(start + Duration::from_secs(59)), (false, None));
        assert_eq!(lines.may_print(start + Duration::from_secs(60)), (true, Some(8)));
        assert_eq!(lines.may_print(start + Duration::from_secs(120)), (true, None));
    }
}
