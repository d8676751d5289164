//! Random histories of a log, and logrotate itself.

use super::super::super::cursor::Position;
use super::super::FileLog;
use super::{Rig, compress, line};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::process::Command;

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    /// Part of a line, which a later step completes.
    Begin,
    Rotate,
    CopyTruncate,
    Compress,
    Late,
    Read,
    Restart,
    /// A crash after requests were returned, before the position was saved.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_usize..30).prop_map(Step::Write),
        1 => Just(Step::Begin),
        2 => Just(Step::Rotate),
        2 => Just(Step::CopyTruncate),
        2 => Just(Step::Compress),
        2 => Just(Step::Late),
        4 => Just(Step::Read),
        2 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..40)
}

/// The number of random histories; `PROPTEST_CASES` changes it.
fn cases() -> u32 {
    env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24)
}

/// A daemon and logrotate with numbered files.
struct History {
    rig: Rig,
    seen: BTreeSet<usize>,
    saved: Option<Position>,
    begun: Option<String>,
    last: usize,
}

impl History {
    fn complete(&mut self) {
        if let Some(end) = self.begun.take() {
            self.rig.append("log", &end);
        }
    }

    fn rotate(&mut self, step: &Step) {
        let log = self.rig.path("log");
        let last = format!("log.{}", 1000 - self.last);
        let last_path = self.rig.path(&last);
        match step {
            Step::Compress if last_path.exists() => {
                compress(&last_path, &self.rig.path(&format!("{last}.gz")));
            }
            // The daemon has not yet opened the new file.
            Step::Late if last_path.exists() => drop(self.rig.write(&last, 1)),
            Step::Rotate | Step::CopyTruncate => {
                self.complete();
                self.last += 1;
                let next = self.rig.path(&format!("log.{}", 1000 - self.last));
                match step {
                    Step::Rotate => fs::rename(&log, next).unwrap(),
                    _ => drop(fs::copy(&log, next).unwrap()),
                }
                File::create(&log).unwrap();
            }
            _ => {}
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Write(count) => {
                self.complete();
                self.rig.write("log", *count);
            }
            Step::Begin => {
                self.complete();
                let line = line(self.rig.lines);
                self.rig.lines += 1;
                let (begin, end) = line.split_at(line.len() / 2);
                self.rig.append("log", begin);
                self.begun = Some(end.to_owned());
            }
            Step::Rotate | Step::CopyTruncate | Step::Compress | Step::Late => self.rotate(step),
            Step::Read => {
                self.seen.extend(self.rig.read());
                self.saved = self.rig.log.as_ref().map(FileLog::position);
            }
            Step::Restart => {
                self.rig.restart();
                self.seen.extend(self.rig.read());
            }
            Step::Crash => {
                self.rig.read();
                let saved = self.saved.clone();
                self.rig.start(saved.as_ref(), true);
                self.seen.extend(self.rig.read());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    /// Whatever happens to the files, every line is read.
    #[test]
    fn no_line_is_lost(steps in steps()) {
        let mut rig = Rig::new();
        rig.write("log", 1);
        rig.start(None, true);
        let mut history =
            History { rig, seen: BTreeSet::new(), saved: None, begun: None, last: 0 };
        steps.iter().for_each(|step| history.step(step));
        history.complete();
        history.step(&Step::Read);
        let missing: Vec<usize> =
            (0..history.rig.lines).filter(|number| !history.seen.contains(number)).collect();
        prop_assert_eq!(missing, vec![0; 0]);
        prop_assert_eq!(history.rig.counters.gaps, 0);
    }
}

/// logrotate itself, with the settings that change the names and the order of its work.
#[test]
fn logs_of_logrotate_are_read_completely() {
    if Command::new("logrotate").arg("--version").output().is_err() {
        eprintln!("skipped: needs logrotate");
        return;
    }
    for settings in [
        "rotate 9\ncreate",
        "rotate 9\ncompress",
        "rotate 9\ncompress\ndelaycompress",
        "rotate 9\ncopytruncate",
        "rotate 9\ncopytruncate\ncompress",
        "rotate 9\nextension .log\ncompress",
    ] {
        let mut rig = Rig::new();
        rig.name = "s.log";
        let configuration = format!("{} {{\n{settings}\n}}\n", rig.path(rig.name).display());
        fs::write(rig.path("logrotate.conf"), configuration).unwrap();
        let mut expected = rig.write(rig.name, 20);
        rig.start(None, true);
        let mut read = Vec::new();
        for restarts in [false, true, false, true] {
            read.extend(rig.read());
            expected.extend(rig.write(rig.name, 2));
            for _ in 0..2 {
                let mut logrotate = Command::new("logrotate");
                logrotate.args(["--force", "--state"]).arg(rig.path("state"));
                let output = logrotate.arg(rig.path("logrotate.conf")).output().unwrap();
                assert!(output.status.success(), "{settings}: {output:?}");
                expected.extend(rig.write(rig.name, 2));
            }
            if restarts {
                rig.restart();
            }
        }
        read.extend(rig.read());
        assert_eq!((read, rig.counters.gaps), (expected, 0), "{settings}");
    }
}
