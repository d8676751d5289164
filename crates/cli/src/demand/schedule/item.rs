//! One requested image.

use super::{Limits, Outcome, SHOWN};
use crate::demand::policy::{Asked, Verdict};
use crate::demand::request::Request;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sifcache_core::reference::Reference;
use std::collections::BTreeMap;

/// The maximum number of askers that are remembered. No policy needs more.
const MAX_ASKERS: usize = 1000;
/// The first words of verdicts that are reported.
const NOT_YET: &str = "not yet";
const REFUSED: &str = "refused";
/// The maximum length of a reason in bytes.
const MAX_REASON: usize = 500;

/// A requested image that is not in the cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    #[serde(serialize_with = "print", deserialize_with = "parse")]
    reference: Reference,
    /// The user who asked first, if known.
    opener: Option<u32>,
    /// The identified askers, each with the time at which the last request arrived here.
    askers: BTreeMap<u32, Timestamp>,
    /// The time of the last unidentified request.
    unidentified: Option<Timestamp>,
    /// The number of requests.
    requests: u64,
    /// The times of the first and of the last request.
    first: Timestamp,
    last: Timestamp,
    /// When the last request arrived here.
    arrived: Timestamp,
    /// The number of the first request among all requests, and of the last one.
    place: u64,
    arrival: u64,
    trouble: Option<Trouble>,
    #[serde(skip)]
    pulling: bool,
    /// Whether the judge is working on a verdict, and whether a request has arrived in the meantime.
    #[serde(skip)]
    judging: bool,
    #[serde(skip)]
    again: bool,
    /// Whether the policy has changed since the judge began.
    #[serde(skip)]
    outdated: bool,
    #[serde(skip)]
    verdict: Option<Verdict>,
    /// The last verdict, also while the judge is working on a new one.
    #[serde(skip)]
    last_verdict: Option<Verdict>,
    /// The last verdict that was reported, as text.
    reported: Option<String>,
}

/// Why the image was not added, and how long to wait before the next attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Trouble {
    refused: bool,
    reason: String,
    since: Timestamp,
    /// The length of the pause.
    seconds: i64,
    /// The number of failed attempts.
    failures: u32,
}

impl Trouble {
    fn left(&self, now: Timestamp) -> Option<SignedDuration> {
        let left = SignedDuration::from_secs(self.seconds) - now.duration_since(self.since);
        left.is_positive().then_some(left)
    }
}

/// The stage of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is being pulled.
    Pulling,
    /// It waits for its turn. The text names a further reason.
    Queued(Option<String>),
    /// The policy has not judged it yet, or does not allow it yet, for this reason.
    NotYet(String),
    /// The policy does not allow it, for this reason.
    Refused(String),
    /// The last attempt failed, for this reason.
    Failed(String),
}

/// The stage of an image, and the number of images that are added before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) stage: Stage,
    pub(crate) ahead: u32,
}

impl Item {
    pub(super) fn new(request: Request, now: Timestamp, arrival: u64) -> Self {
        let time = request.time.min(now);
        let mut item = Self {
            opener: request.asker,
            askers: BTreeMap::new(),
            unidentified: None,
            requests: 0,
            first: time,
            last: time,
            arrived: now,
            place: arrival,
            arrival,
            trouble: None,
            pulling: false,
            judging: false,
            again: false,
            outdated: false,
            verdict: None,
            last_verdict: None,
            reported: None,
            reference: request.reference.clone(),
        };
        item.note(&request, now, arrival);
        item
    }

    /// Adds a request. It counts from `now` on, not from the time stamp of its line: the clocks of hosts
    /// differ and may be set while the filler runs.
    pub(super) fn note(&mut self, request: &Request, now: Timestamp, arrival: u64) {
        let time = request.time.min(now);
        match request.asker {
            Some(asker) => {
                let known = self.askers.len();
                if known < MAX_ASKERS || self.askers.contains_key(&asker) {
                    self.askers.insert(asker, now);
                }
            }
            None => self.unidentified = Some(now),
        }
        self.requests = self.requests.saturating_add(1);
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        (self.arrived, self.arrival) = (now, arrival);
        self.again = self.judging;
        if self.verdict != Some(Verdict::Allowed) {
            self.verdict = None;
        }
    }

    /// The image.
    pub(crate) fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The number of identified askers.
    pub(crate) fn users(&self) -> usize {
        self.askers.len()
    }

    /// The number of requests.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// When the last request arrived here.
    pub(crate) fn arrived(&self) -> Timestamp {
        self.arrived
    }

    /// The time until the next attempt, if there is a pause.
    pub(crate) fn pause(&self, now: Timestamp) -> Option<SignedDuration> {
        self.trouble.as_ref()?.left(now)
    }

    /// The last known stage of the image, even if the pause after a failure is over. Unlike a verdict,
    /// it is saved.
    pub(crate) fn last_known(&self) -> Stage {
        if let Some(Trouble { refused, reason, .. }) = &self.trouble {
            return match refused {
                true => Stage::Refused(reason.clone()),
                false => Stage::Failed(reason.clone()),
            };
        }
        let text = self.reported.as_deref().unwrap_or_default();
        match text.split_once(": ") {
            Some((REFUSED, why)) => Stage::Refused(why.to_owned()),
            Some((NOT_YET, why)) => Stage::NotYet(why.to_owned()),
            _ => Stage::Queued(None),
        }
    }

    pub(super) fn opener(&self) -> Option<u32> {
        self.opener
    }

    pub(super) fn askers(&self) -> impl Iterator<Item = u32> {
        self.askers.keys().copied()
    }

    pub(super) fn is_unidentified(&self) -> bool {
        self.askers.is_empty()
    }

    pub(super) fn is_pulling(&self) -> bool {
        self.pulling
    }

    pub(super) fn place(&self) -> u64 {
        self.place
    }

    pub(super) fn arrival(&self) -> u64 {
        self.arrival
    }

    /// The asker whose turn a pull of this image is: the one whose last turn is the oldest.
    pub(super) fn turn_of(&self, turns: &BTreeMap<u32, u64>) -> Option<u32> {
        self.askers().min_by_key(|asker| turns.get(asker).copied().unwrap_or_default())
    }

    /// The users who asked within the window.
    pub(crate) fn asked(&self, window: SignedDuration, now: Timestamp) -> Asked {
        let is_recent = |time: &Timestamp| now.duration_since(*time) <= window;
        let recent = self.askers.iter().filter(|(_, time)| is_recent(time));
        Asked {
            uids: recent.map(|(asker, _)| *asker).collect(),
            unidentified: self.unidentified.as_ref().is_some_and(is_recent),
        }
    }

    /// Moves times that are in the future, after the clock was set back, to the present.
    pub(super) fn tick(&mut self, limits: &Limits<'_>, now: Timestamp) {
        for time in self.askers.values_mut().chain(&mut self.unidentified) {
            *time = (*time).min(now);
        }
        for time in [&mut self.first, &mut self.last, &mut self.arrived] {
            *time = (*time).min(now);
        }
        if let Some(trouble) = &mut self.trouble {
            trouble.since = trouble.since.min(now);
            trouble.seconds = trouble.seconds.min(limits.longest.as_secs());
        }
    }

    /// Whether the item can be forgotten.
    pub(super) fn is_over(&self, limits: &Limits<'_>, now: Timestamp) -> bool {
        let age = now.duration_since(self.arrived);
        let kept = match self.verdict {
            Some(Verdict::Refused(_)) => SHOWN,
            _ => limits.window.max(SHOWN),
        };
        !self.pulling && age >= kept
    }

    /// Whether there is no verdict.
    pub(super) fn is_open(&self) -> bool {
        !self.pulling && self.verdict.is_none()
    }

    pub(super) fn needs_judging(&self) -> bool {
        self.is_open() && !self.judging
    }

    pub(super) fn start_judging(&mut self) {
        self.judging = true;
    }

    /// Records the policy's verdict. Returns whether it differs from the last one that was reported.
    pub(super) fn judge(&mut self, verdict: Verdict) -> bool {
        self.judging = false;
        let text = Some(match &verdict {
            Verdict::Allowed => "allowed".to_owned(),
            Verdict::NotYet(why) => format!("{NOT_YET}: {why}"),
            Verdict::Refused(why) => format!("{REFUSED}: {why}"),
        });
        let is_new = self.reported != text;
        self.reported = text;
        self.last_verdict = Some(verdict.clone());
        // Users who asked in the meantime may change the verdict.
        let is_final = verdict == Verdict::Allowed || !self.again;
        self.verdict = (is_final && !self.outdated).then_some(verdict);
        (self.again, self.outdated) = (false, false);
        is_new
    }

    pub(super) fn forget_verdict(&mut self) {
        self.verdict = None;
        self.outdated = self.judging;
    }

    /// Whether the last verdict allows it. Most images of a flood, or of a log that a new filler reads,
    /// are refused: they do not delay other images while they wait for their verdict.
    pub(super) fn is_allowed(&self) -> bool {
        self.pulling || self.last_verdict == Some(Verdict::Allowed)
    }

    /// Whether it can be pulled, apart from the limits.
    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        self.verdict == Some(Verdict::Allowed) && !self.pulling && self.pause(now).is_none()
    }

    pub(super) fn start(&mut self) -> Reference {
        self.pulling = true;
        self.reference.clone()
    }

    pub(super) fn end(&mut self, outcome: Outcome, limits: &Limits<'_>, now: Timestamp) {
        self.pulling = false;
        let failures = self.trouble.as_ref().map_or(0, |trouble| trouble.failures);
        let (refused, reason, failures, pause) = match outcome {
            Outcome::Failed(reason) => (false, reason, failures + 1, limits.pause(failures)),
            Outcome::Refused(reason) => (true, reason, failures + 1, limits.pause(failures)),
            Outcome::NoRoom(reason) => (false, reason, failures, limits.pause(0)),
            Outcome::Added | Outcome::Busy(_) | Outcome::Stopped => return,
        };
        let reason: String = reason.chars().take(MAX_REASON).collect();
        let seconds = pause.as_secs();
        self.trouble = Some(Trouble { refused, reason, since: now, seconds, failures });
    }

    pub(super) fn stage(&self, now: Timestamp) -> Stage {
        if self.pulling {
            return Stage::Pulling;
        }
        match (&self.verdict, &self.trouble) {
            (Some(Verdict::Refused(why)), _) => Stage::Refused(why.clone()),
            (Some(Verdict::NotYet(why)), _) => Stage::NotYet(why.clone()),
            (_, Some(trouble)) if trouble.left(now).is_some() => match trouble.refused {
                true => Stage::Refused(trouble.reason.clone()),
                false => Stage::Failed(trouble.reason.clone()),
            },
            (Some(Verdict::Allowed), _) => Stage::Queued(None),
            // Until there is a verdict, the last one is shown.
            (None, _) => match &self.last_verdict {
                Some(Verdict::Refused(why)) => Stage::Refused(why.clone()),
                Some(Verdict::NotYet(why)) => Stage::NotYet(why.clone()),
                Some(Verdict::Allowed) | None => Stage::Queued(None),
            },
        }
    }
}

fn print<S: Serializer>(reference: &Reference, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reference)
}

fn parse<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Reference, D::Error> {
    let text = String::deserialize(deserializer)?;
    Reference::parse_printed(text.as_bytes()).map_err(de::Error::custom)
}
