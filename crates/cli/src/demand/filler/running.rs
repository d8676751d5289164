//! The pulls that are running, and how long they will take.

use crate::ui::progress::Gauge;
use sifcache_core::reference::Reference;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// The pulls that are running, by printed reference.
#[derive(Debug, Default)]
pub(super) struct Running(BTreeMap<String, Pull>);

#[derive(Debug)]
struct Pull {
    gauge: Arc<Gauge>,
    /// When the first bytes were seen, and how many there were.
    first: Option<(Instant, u64)>,
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

    /// Adds a pull, which is to report its progress to the returned gauge.
    pub(super) fn add(&mut self, reference: &Reference) -> Arc<Gauge> {
        let gauge = Arc::new(Gauge::default());
        let pull = Pull { gauge: Arc::clone(&gauge), first: None };
        self.0.insert(reference.to_string(), pull);
        gauge
    }

    pub(super) fn remove(&mut self, reference: &Reference) {
        self.0.remove(&reference.to_string());
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
