//! The running pulls: their progress and remaining time, and which of them have to be cancelled.

use crate::demand::policy::Limits;
use crate::pull::registry::Cancel;
use crate::ui::progress::Gauge;
use jiff::SignedDuration;
use sifcache_core::reference::Reference;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The pulls that are running, by printed reference.
#[derive(Debug, Default)]
pub(super) struct Running(BTreeMap<String, Pull>);

#[derive(Debug)]
struct Pull {
    gauge: Arc<Gauge>,
    cancel: Cancel,
    begun: Instant,
    /// When the gauge changed, and what it showed then.
    active: (Instant, u64),
    /// When the first bytes were seen, and how many there were.
    first: Option<(Instant, u64)>,
}

impl Pull {
    /// Why the pull has to end now, if it has to.
    fn overdue(&mut self, limits: &Limits, now: Instant) -> Option<String> {
        let activity = self.gauge.activity();
        if activity != self.active.1 {
            self.active = (now, activity);
        }
        let is_over = |since, limit: SignedDuration| {
            let limit = Duration::try_from(limit).unwrap_or(Duration::MAX);
            now.saturating_duration_since(since) >= limit
        };
        if is_over(self.active.0, limits.stall) {
            let limit = limits.stall;
            return Some(format!("no data have arrived for {limit:#} (stall-timeout)"));
        }
        let limit = limits.pull;
        is_over(self.begun, limit).then(|| format!("the pull took {limit:#} (pull-timeout)"))
    }
}

/// The progress of a pull.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// In bytes; zero if it is unknown.
    pub(super) size: u64,
    pub(super) received: u64,
    pub(super) seconds_left: Option<u32>,
}

impl Running {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a pull, which is to report its progress to the returned gauge, and to end if the flag
    /// is set.
    pub(super) fn add(&mut self, reference: &Reference, now: Instant) -> (Arc<Gauge>, Cancel) {
        let (gauge, cancel) = (Arc::new(Gauge::default()), Cancel::default());
        let watched = (Arc::clone(&gauge), cancel.clone());
        let pull = Pull { gauge, cancel, begun: now, active: (now, 0), first: None };
        self.0.insert(reference.to_string(), pull);
        watched
    }

    pub(super) fn remove(&mut self, reference: &Reference) {
        self.0.remove(&reference.to_string());
    }

    /// Ends pulls that make no progress or take too long, so that they do not keep their places.
    pub(super) fn end_overdue(&mut self, limits: &Limits, now: Instant) {
        for pull in self.0.values_mut() {
            if let Some(why) = pull.overdue(limits, now) {
                pull.cancel.cancel(&why);
            }
        }
    }

    pub(super) fn progress(&mut self, reference: &Reference, now: Instant) -> Progress {
        let Some(pull) = self.0.get_mut(&reference.to_string()) else { return Progress::default() };
        let (received, size) = pull.gauge.read();
        if received == 0 {
            return Progress { size, received, seconds_left: None };
        }
        let (since, before) = *pull.first.get_or_insert((now, received));
        let elapsed = now.saturating_duration_since(since).as_millis();
        let (done, left) = (u128::from(received - before), u128::from(size - received));
        let seconds = (left * elapsed).checked_div(done * 1000);
        let seconds_left = seconds.and_then(|seconds| u32::try_from(seconds).ok());
        Progress { size, received, seconds_left }
    }
}

#[cfg(test)]
mod tests {
    use super::Running;
    use crate::demand::policy::Policy;
    use sifcache_core::reference::Reference;
    use std::time::{Duration, Instant};

    /// The policy's limits are 10 minutes and 12 hours.
    #[test]
    fn a_pull_ends_without_progress_or_after_its_time() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("fill.toml");
        std::fs::write(&file, "allow = []").unwrap();
        let policy = Policy::load(&file).unwrap();
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_secs(60 * minutes);
        let mut running = Running::default();
        let [(slow, slow_end), (hung, hung_end)] = [b"o/slow:1", b"o/hung:1"]
            .map(|name| running.add(&Reference::parse(name).unwrap(), start));
        hung.touch();
        let mut end = |minutes| running.end_overdue(policy.limits(), at(minutes));
        // Progress is noticed at the next look.
        for minutes in (0..720).step_by(9) {
            slow.touch();
            end(minutes);
            assert_eq!(hung_end.is_cancelled(), minutes >= 10, "{minutes}");
            assert!(!slow_end.is_cancelled(), "{minutes}");
        }
        assert_eq!(hung_end.reason(), Some("no data have arrived for 10m (stall-timeout)"));
        slow.touch();
        end(720);
        assert_eq!(slow_end.reason(), Some("the pull took 12h (pull-timeout)"));
    }
}
