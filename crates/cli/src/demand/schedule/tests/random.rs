//! Random sequences of requests, verdicts, pulls, restarts and changes of the clock.

use super::{START, image, request};
use crate::demand::policy::Verdict;
use crate::demand::schedule::{Finding, Limits, Outcome, Schedule};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PARALLEL: usize = 3;
const PER_HOUR: u32 = 4;
const REGISTRIES: [&str; 2] = ["q.io", "r.io"];

#[derive(Debug, Clone)]
enum Step {
    Ask { name: u8, asker: Option<u32> },
    Judge { allow: bool },
    Start,
    End { which: usize, outcome: u8 },
    Wait(i64),
    Clock(i64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_u8, proptest::option::of(1..4_u32))
            .prop_map(|(name, asker)| Step::Ask { name, asker }),
        3 => proptest::bool::weighted(0.8).prop_map(|allow| Step::Judge { allow }),
        4 => Just(Step::Start),
        4 => (any::<usize>(), 0..5_u8).prop_map(|(which, outcome)| Step::End { which, outcome }),
        2 => (0..2000_i64).prop_map(Step::Wait),
        1 => (-100_000..100_000_i64).prop_map(Step::Clock),
        1 => Just(Step::Restart),
    ]
}

fn limits() -> Limits<'static> {
    Limits {
        parallel: PARALLEL,
        // Nothing is forgotten in these tests.
        window: SignedDuration::from_hours(1_000_000),
        first: SignedDuration::from_mins(5),
        longest: SignedDuration::from_mins(40),
        per_hour: &|_| Some(PER_HOUR),
    }
}

/// The schedule, and what it must do.
#[derive(Default)]
struct Model {
    schedule: Schedule,
    /// Seconds of the clock that the schedule sees, and of one that is never changed.
    clock: i64,
    steady: i64,
    wanted: BTreeSet<String>,
    pulling: Vec<String>,
    /// By registry, the steady times of the pulls since the clock was set last.
    pulls: BTreeMap<String, Vec<i64>>,
}

impl Model {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(START + self.clock).unwrap()
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Ask { name, asker } => {
                let registry = REGISTRIES[usize::from(*name) % REGISTRIES.len()];
                let name = format!("{registry}/i:{name}");
                self.schedule.ask(request(&name, *asker, self.now()), self.now());
                self.wanted.insert(name);
            }
            Step::Judge { allow } => self.judge(*allow),
            Step::Start => drop(self.start()),
            Step::End { which, outcome } => self.end(*which, *outcome),
            Step::Wait(seconds) => self.wait(*seconds),
            Step::Clock(seconds) => {
                self.clock = (self.clock + seconds).max(0);
                self.pulls.clear();
            }
            Step::Restart => {
                let before = serde_json::to_string(&self.schedule).unwrap();
                self.schedule = serde_json::from_str(&before).unwrap();
                // The pulls ended with the process.
                self.pulling.clear();
                assert_eq!(serde_json::to_string(&self.schedule).unwrap(), before);
            }
        }
        self.schedule.tick(&limits(), self.now());
        self.check();
    }

    fn judge(&mut self, allow: bool) {
        let now = self.now();
        for (reference, asked) in self.schedule.take_unjudged(2, limits().window, now) {
            assert!(!asked.uids.is_empty() || asked.unidentified);
            let verdict = match allow {
                true => Verdict::Allowed,
                false => Verdict::NotYet("later".to_owned()),
            };
            self.schedule.judged(&reference, Finding::Judged(verdict), now);
        }
    }

    fn start(&mut self) -> Option<String> {
        let name = self.schedule.next(&limits(), self.now())?.to_string();
        assert!(self.wanted.contains(&name), "{name} is not wanted");
        assert!(!self.pulling.contains(&name), "{name} is pulled twice");
        self.pulling.push(name.clone());
        let registry = name.split('/').next().unwrap().to_owned();
        let pulls = self.pulls.entry(registry).or_default();
        pulls.retain(|time| self.steady - time < 3600);
        pulls.push(self.steady);
        assert!(pulls.len() <= PER_HOUR as usize, "{pulls:?}");
        Some(name)
    }

    fn end(&mut self, which: usize, outcome: u8) {
        if self.pulling.is_empty() {
            return;
        }
        let name = self.pulling.swap_remove(which % self.pulling.len());
        let outcome = match outcome {
            0 | 1 => Outcome::Added,
            2 => Outcome::Failed("why".to_owned()),
            3 => Outcome::Busy(Duration::from_secs(which as u64 % 500)),
            _ => Outcome::NoRoom("full".to_owned()),
        };
        if outcome == Outcome::Added {
            self.wanted.remove(&name);
        }
        self.schedule.done(&image(&name), outcome, &limits(), self.now());
    }

    fn wait(&mut self, seconds: i64) {
        self.clock += seconds;
        self.steady += seconds;
    }

    /// Nothing is lost, and the limits hold.
    fn check(&self) {
        let items = self.schedule.standings(self.now());
        let names: BTreeSet<_> =
            items.iter().map(|(item, _)| item.reference().to_string()).collect();
        assert_eq!(names, self.wanted);
        assert!(self.pulling.len() <= PARALLEL);
    }

    /// If the clock and the registries work from now on, every image is added.
    fn finish(&mut self) {
        while !self.pulling.is_empty() {
            self.end(0, 0);
        }
        for _ in 0..40 {
            self.schedule.review_all();
            while self.schedule.is_open() {
                self.judge(true);
            }
            while self.start().is_some() {
                self.end(0, 0);
            }
            self.wait(600);
            self.schedule.tick(&limits(), self.now());
        }
        assert_eq!(self.wanted, BTreeSet::new());
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_and_all_limits_hold(steps in proptest::collection::vec(step(), 0..80)) {
        let mut model = Model::default();
        for step in &steps {
            model.run(step);
        }
        model.finish();
    }
}
