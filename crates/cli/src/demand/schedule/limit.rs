//! Limits: pulls at a time, pulls per hour from each registry, and pauses.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The period of the limit of pulls.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// The pause after which a registry that does not state one is queried again. It doubles each time.
const PAUSE: i64 = 60;
/// The longest pause of a registry that does not state one.
const MAX_PAUSE: i64 = 3600;
/// The longest pause that a registry can request.
const MAX_ASKED: i64 = 86_400;

/// The limits that the policy sets.
#[derive(Clone, Copy)]
pub(crate) struct Limits<'a> {
    /// The maximum number of pulls at a time.
    pub(crate) parallel: usize,
    /// How long a request counts.
    pub(crate) window: SignedDuration,
    /// The pause after the first failure, which doubles with each further one.
    pub(crate) first: SignedDuration,
    /// The longest pause after a failure.
    pub(crate) longest: SignedDuration,
    /// The maximum number of pulls per hour from a registry.
    pub(crate) per_hour: &'a dyn Fn(&str) -> Option<u32>,
}

impl Limits<'_> {
    /// The pause after a failure that followed this number of failures.
    pub(super) fn pause(&self, failures: u32) -> SignedDuration {
        let doubled =
            self.first.checked_mul(1_i32.checked_shl(failures.min(30)).unwrap_or(i32::MAX));
        doubled.unwrap_or(self.longest).min(self.longest)
    }
}

/// The recent pulls from each registry, and the pauses that registries requested.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Registries {
    pulls: BTreeMap<String, VecDeque<Timestamp>>,
    pauses: BTreeMap<String, Pause>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pause {
    since: Timestamp,
    seconds: i64,
    /// The number of consecutive pauses without a successful pull in between.
    count: u32,
}

impl Pause {
    fn left(&self, now: Timestamp) -> Option<i64> {
        let left = self.seconds - now.duration_since(self.since).as_secs();
        (left > 0).then_some(left)
    }
}

impl Registries {
    /// Forgets pulls of more than an hour ago. Times in the future, after the clock was set back,
    /// become the present.
    pub(super) fn tick(&mut self, now: Timestamp) {
        for times in self.pulls.values_mut() {
            for time in times.iter_mut() {
                *time = (*time).min(now);
            }
            times.retain(|time| now.duration_since(*time) < HOUR);
        }
        self.pulls.retain(|_, times| !times.is_empty());
        for pause in self.pauses.values_mut() {
            pause.since = pause.since.min(now);
            pause.seconds = pause.seconds.min(MAX_ASKED);
        }
        // The count of a pause matters for the next one.
        let old = |pause: &Pause| now.duration_since(pause.since).as_secs() > 2 * MAX_ASKED;
        self.pauses.retain(|_, pause| !old(pause));
    }

    /// Whether the limits allow a pull from this registry. With `reserve`, half of the pulls per hour
    /// is reserved for other requests.
    pub(super) fn may_pull(
        &self,
        registry: &str,
        limits: &Limits<'_>,
        reserve: bool,
        now: Timestamp,
    ) -> bool {
        if self.pause_of(registry, now).is_some() {
            return false;
        }
        let Some(most) = (limits.per_hour)(registry) else { return true };
        let most = if reserve { most.div_ceil(2) } else { most };
        let in_hour = |time: &&Timestamp| now.duration_since(**time) < HOUR;
        let pulls = self.pulls.get(registry).into_iter().flatten().filter(in_hour).count();
        u32::try_from(pulls).is_ok_and(|pulls| pulls < most)
    }

    /// Counts a pull.
    pub(super) fn count(&mut self, registry: &str, now: Timestamp) {
        self.pulls.entry(registry.to_owned()).or_default().push_back(now);
    }

    /// The seconds that are left of the pause of a registry.
    pub(super) fn pause_of(&self, registry: &str, now: Timestamp) -> Option<i64> {
        self.pauses.get(registry)?.left(now)
    }

    /// Pauses pulls from this registry. A delay of zero means that the registry did not state one.
    pub(super) fn pause(&mut self, registry: &str, delay: Duration, now: Timestamp) {
        let count = self.pauses.get(registry).map_or(0, |pause| pause.count);
        let seconds = match i64::try_from(delay.as_secs()).unwrap_or(MAX_ASKED) {
            0 => (PAUSE << count.min(10)).min(MAX_PAUSE),
            asked => asked.min(MAX_ASKED),
        };
        let pause = Pause { since: now, seconds, count: count.saturating_add(1) };
        self.pauses.insert(registry.to_owned(), pause);
    }

    /// Notes a successful pull from this registry.
    pub(super) fn works(&mut self, registry: &str) {
        self.pauses.remove(registry);
    }
}
