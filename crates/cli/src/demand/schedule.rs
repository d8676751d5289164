//! Which images are added next: a state machine that uses no clock and no files.
//!
//! ```text
//! ask ──▶ judged by the policy ──▶ next ──▶ pulled ──▶ done
//!            │  refused, not yet      ▲         │ failed
//!            ▼                        └─────────┘ after a pause, which doubles each time
//!         kept until there was no request during the policy's window
//! ```
//!
//! Requests for the same image are one item. The order is fair: the users who ask, the askers, take
//! turns, each with the image that was requested first. Images that only unidentified askers have
//! requested come after all others, and a limited number of them is kept, because everybody can write
//! such requests.
//!
//! All times come from the caller. If the clock is set back, a pause begins again, so no pause is
//! longer than intended.

mod item;
mod limit;
mod order;

pub(crate) use item::{Item, Stage, Standing};
pub(crate) use limit::Limits;

use crate::demand::policy::{Asked, Verdict};
use crate::demand::request::Request;
use jiff::{SignedDuration, Timestamp};
use limit::Registries;
use serde::{Deserialize, Serialize};
use sifcache_core::reference::Reference;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The maximum number of items of which one asker was the first.
pub(crate) const MAX_PER_ASKER: usize = 1000;
/// The maximum number of items for which all askers are unidentified. If it is exceeded, those whose
/// last request is the oldest are dropped.
pub(crate) const MAX_UNIDENTIFIED: usize = 1000;
/// The maximum number of items.
pub(crate) const MAX_ITEMS: usize = 20_000;
/// The number of unidentified items above the maximum from which on some are dropped: a search for the
/// oldest ones visits all items.
const SLACK: usize = 250;
/// How long an item is kept to show its result.
pub(crate) const SHOWN: SignedDuration = SignedDuration::from_mins(10);

/// The requested images that are not in the cache.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub(crate) struct Schedule {
    /// By printed reference.
    items: BTreeMap<String, Item>,
    registries: Registries,
    /// The number of each asker's last turn.
    turns: BTreeMap<u32, u64>,
    /// The number of the last turn, and of the last request.
    turn: u64,
    arrivals: u64,
    /// The time of the last request of an identified asker.
    identified: Option<Timestamp>,
    /// The number of items of which each asker was the first, and of those without an asker.
    opened: BTreeMap<Option<u32>, usize>,
    /// Images that were added or found, with the time. They are shown for a while.
    finished: BTreeMap<String, Timestamp>,
    /// The number of requests that were dropped because of a maximum.
    dropped: u64,
}

/// The saved form.
#[derive(Clone, Serialize, Deserialize)]
struct Saved {
    items: Vec<Item>,
    registries: Registries,
    turns: BTreeMap<u32, u64>,
    turn: u64,
    arrivals: u64,
    identified: Option<Timestamp>,
}

impl From<Schedule> for Saved {
    fn from(schedule: Schedule) -> Self {
        let Schedule { items, registries, turns, turn, arrivals, identified, .. } = schedule;
        let items = items.into_values().collect();
        Self { items, registries, turns, turn, arrivals, identified }
    }
}

impl From<Saved> for Schedule {
    fn from(saved: Saved) -> Self {
        let Saved { items, registries, turns, turn, arrivals, identified } = saved;
        let mut opened = BTreeMap::new();
        for item in &items {
            *opened.entry(item.opener()).or_default() += 1;
        }
        let named = |item: Item| (item.reference().to_string(), item);
        let items = items.into_iter().map(named).collect();
        let unsaved = Self::default();
        Self { items, registries, turns, turn, arrivals, identified, opened, ..unsaved }
    }
}

/// The result of a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The image is in the cache.
    Added,
    /// The image cannot be added, for this reason. The next attempts have growing delays.
    Failed(String),
    /// The policy does not allow this image, which was only known at the time of the pull. As after
    /// a failure, later attempts are possible, because the image or the policy may change.
    Refused(String),
    /// There is no room for the image. This is not a failure of the image.
    NoRoom(String),
    /// The registry asks for a pause of this length, zero for an unknown one. This is not a failure
    /// of the image.
    Busy(Duration),
    /// The filler stops.
    Stopped,
}

/// What [`Schedule::judged`] takes for one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The image is in the cache.
    Present,
    /// The policy's verdict.
    Judged(Verdict),
}

impl Schedule {
    /// Accepts a request that arrives at the time `now`. Returns whether it is for a new image.
    pub(crate) fn ask(&mut self, request: Request, now: Timestamp) -> bool {
        if request.asker.is_some() {
            self.identified = Some(now);
        }
        self.arrivals += 1;
        let name = request.reference.to_string();
        if let Some(item) = self.items.get_mut(&name) {
            item.note(&request, now, self.arrivals);
            return false;
        }
        if !self.has_place(request.asker) {
            self.dropped += 1;
            return false;
        }
        self.finished.remove(&name);
        *self.opened.entry(request.asker).or_default() += 1;
        self.items.insert(name, Item::new(request, now, self.arrivals));
        true
    }

    /// Whether the limits allow one more item of this asker. Unidentified items are dropped to make
    /// room.
    fn has_place(&mut self, asker: Option<u32>) -> bool {
        let opened = |asker| self.opened.get(&asker).copied().unwrap_or_default();
        match asker {
            Some(_) if opened(asker) >= MAX_PER_ASKER => return false,
            None if opened(None) >= MAX_UNIDENTIFIED + SLACK => {
                self.drop_unidentified(MAX_UNIDENTIFIED);
            }
            _ if self.items.len() >= MAX_ITEMS => self.drop_unidentified(0),
            _ => {}
        }
        self.items.len() < MAX_ITEMS
    }

    /// Drops unidentified items until `keep` of them are left, first those whose last request is the
    /// oldest.
    fn drop_unidentified(&mut self, keep: usize) {
        let is_droppable = |item: &&Item| item.opener().is_none() && item.is_unidentified();
        let waiting = self.items.values().filter(is_droppable).filter(|item| !item.is_pulling());
        let mut found: Vec<_> =
            waiting.map(|item| (item.arrival(), item.reference().to_string())).collect();
        found.sort_unstable();
        let surplus = found.len().saturating_sub(keep);
        for (_, name) in found.into_iter().take(surplus) {
            self.remove(&name);
            self.dropped += 1;
        }
    }

    fn remove(&mut self, name: &str) -> Option<Item> {
        let item = self.items.remove(name)?;
        if let Some(count) = self.opened.get_mut(&item.opener()) {
            *count -= 1;
            if *count == 0 {
                self.opened.remove(&item.opener());
            }
        }
        Some(item)
    }

    /// Removes what has expired at the time `now`: pauses, requests before the policy's window, and
    /// results that were shown long enough.
    pub(crate) fn tick(&mut self, limits: &Limits<'_>, now: Timestamp) {
        self.registries.tick(now);
        self.identified = self.identified.map(|time| time.min(now));
        for time in self.finished.values_mut() {
            *time = (*time).min(now);
        }
        self.finished.retain(|_, time| now.duration_since(*time) < SHOWN);
        for item in self.items.values_mut() {
            item.tick(limits, now);
        }
        let over: Vec<String> = self
            .items
            .iter()
            .filter(|(_, item)| item.is_over(limits, now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in over {
            self.remove(&name);
        }
        let askers: BTreeSet<u32> = self.items.values().flat_map(Item::askers).collect();
        let recent = self.turn.saturating_sub(MAX_ITEMS as u64);
        self.turns.retain(|asker, turn| *turn > recent || askers.contains(asker));
    }

    /// At most `most` images that were not judged since their askers changed, with their askers, in the
    /// order of their turns. Pass the findings to [`Self::judged`].
    pub(crate) fn take_unjudged(
        &mut self,
        most: usize,
        window: SignedDuration,
        now: Timestamp,
    ) -> Vec<(Reference, Asked)> {
        let open = self.ordered(Item::needs_judging);
        let names: Vec<String> =
            open.into_iter().take(most).map(|item| item.reference().to_string()).collect();
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            if let Some(item) = self.items.get_mut(&name) {
                item.start_judging();
                found.push((item.reference().clone(), item.asked(window, now)));
            }
        }
        found
    }

    /// Records a finding. Returns the item if the finding is new and has to be reported.
    pub(crate) fn judged(
        &mut self,
        reference: &Reference,
        finding: Finding,
        now: Timestamp,
    ) -> Option<Item> {
        let name = reference.to_string();
        match finding {
            Finding::Judged(verdict) => {
                let item = self.items.get_mut(&name)?;
                item.judge(verdict).then(|| item.clone())
            }
            Finding::Present => {
                self.finished.insert(name.clone(), now);
                self.remove(&name)
            }
        }
    }

    /// Lets the policy judge all items again, because it has changed.
    pub(crate) fn review_all(&mut self) {
        self.items.values_mut().for_each(Item::forget_verdict);
    }

    /// The image to pull now, if there is one. It counts as being pulled until [`Self::done`].
    pub(crate) fn next(&mut self, limits: &Limits<'_>, now: Timestamp) -> Option<Reference> {
        let pulling: Vec<&Item> = self.items.values().filter(|item| item.is_pulling()).collect();
        let unidentified = pulling.iter().filter(|item| item.is_unidentified()).count();
        if pulling.len() >= limits.parallel {
            return None;
        }
        // One place is reserved for identified askers, if there are any.
        let is_mixed = self.has_identified(now);
        let for_all = unidentified + 1 < limits.parallel || limits.parallel == 1 || !is_mixed;
        let may = |item: &Item| {
            let reserve = item.is_unidentified() && is_mixed;
            item.is_ready(now)
                && (for_all || !item.is_unidentified())
                && self.registries.may_pull(item.reference().registry(), limits, reserve, now)
        };
        let item = self.ordered(may).into_iter().next()?;
        let (name, asker) = (item.reference().to_string(), item.turn_of(&self.turns));
        let item = self.items.get_mut(&name)?;
        let reference = item.start();
        self.registries.count(reference.registry(), now);
        self.turn += 1;
        if let Some(asker) = asker {
            self.turns.insert(asker, self.turn);
        }
        Some(reference)
    }

    /// Whether an identified asker has requested an image lately.
    fn has_identified(&self, now: Timestamp) -> bool {
        let recent = SignedDuration::from_hours(1);
        self.identified.is_some_and(|time| now.duration_since(time) < recent)
            || self.items.values().any(|item| !item.is_unidentified())
    }

    /// Records the result of a pull. Returns the item, with its next attempt if there is one.
    pub(crate) fn done(
        &mut self,
        reference: &Reference,
        outcome: Outcome,
        limits: &Limits<'_>,
        now: Timestamp,
    ) -> Option<Item> {
        let name = reference.to_string();
        if outcome == Outcome::Added {
            self.registries.works(reference.registry());
            self.finished.insert(name.clone(), now);
            return self.remove(&name);
        }
        if let Outcome::Busy(delay) = outcome {
            self.registries.pause(reference.registry(), delay, now);
        }
        let item = self.items.get_mut(&name)?;
        item.end(outcome, limits, now);
        Some(item.clone())
    }

    /// The items, in the order in which they are pulled, each with its standing. Images that are
    /// being pulled come first.
    pub(crate) fn standings(&self, now: Timestamp) -> Vec<(&Item, Standing)> {
        let mut ahead = 0;
        let mut count = |item: &Item, stage: &Stage| {
            let before = ahead;
            let is_added = matches!(stage, Stage::Pulling | Stage::Queued(_)) && item.is_allowed();
            ahead += u32::from(is_added);
            before
        };
        let ordered = self.ordered(|item| !item.is_pulling());
        let pulling = self.items.values().filter(|item| item.is_pulling());
        let standing = |item| {
            let stage = self.stage(item, now);
            (item, Standing { ahead: count(item, &stage), stage })
        };
        pulling.chain(ordered).map(standing).collect()
    }

    fn stage(&self, item: &Item, now: Timestamp) -> Stage {
        match item.stage(now) {
            Stage::Queued(_) => {
                let pause = self.registries.pause_of(item.reference().registry(), now);
                Stage::Queued(pause.map(|seconds| {
                    let registry = item.reference().registry();
                    format!("{registry} asks for a pause of {seconds} s")
                }))
            }
            other => other,
        }
    }

    /// The images that were added or found recently, by printed reference.
    pub(crate) fn finished(&self) -> impl Iterator<Item = &str> {
        self.finished.keys().map(String::as_str)
    }

    /// The items, by printed reference.
    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// The item of this image, if it is not in the cache.
    #[cfg(test)]
    pub(crate) fn get(&self, reference: &Reference) -> Option<&Item> {
        self.items.get(&reference.to_string())
    }

    /// The number of requests that were dropped because of a maximum.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether images wait for a verdict.
    pub(crate) fn is_open(&self) -> bool {
        self.items.values().any(Item::is_open)
    }
}

#[cfg(test)]
mod tests;
