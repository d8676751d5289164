//! The host's clock is set forward or back while the filler runs, with libfaketime. Without it, the
//! tests are skipped.
#![allow(clippy::print_stderr)]

use super::{FAILS, POLICY, PULLS, Running, Site, end, signal};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The pauses are far longer than a test, and the limits allow two pulls per hour.
const LIMITS: &str = "backoff = { first = \"1h\", longest = \"1d\" }\n\
    registries.\"127.0.0.1:1\".per-hour = 2\n";

/// The library that fakes clocks, if it is installed.
fn library() -> Option<PathBuf> {
    let found = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let name = "faketime/libfaketimeMT.so.1";
    let mut found =
        found.chain([PathBuf::from("/usr/lib64")]).map(|directory| directory.join(name));
    let found = found.find(|path| path.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "these tests need libfaketime");
        eprintln!("skipped: needs libfaketime");
    }
    found
}

/// A site whose clock is wrong.
struct Wrong {
    site: Site,
    library: PathBuf,
}

impl Wrong {
    fn new(runtime: &str) -> Option<Self> {
        let library = library()?;
        let site = Site::new(runtime);
        fs::write(site.path("fill.toml"), format!("{POLICY}{LIMITS}")).unwrap();
        fs::write(site.path("log"), "").unwrap();
        let wrong = Self { site, library };
        wrong.set("+0");
        Some(wrong)
    }

    /// Sets the clock: `+10d` is ten days ahead of the real time. A running filler sees it at once.
    fn set(&self, offset: &str) {
        let new = self.site.path("offset.new");
        fs::write(&new, format!("{offset}\n")).unwrap();
        fs::rename(new, self.site.path("offset")).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.site.command(words);
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_TIMESTAMP_FILE", self.site.path("offset"));
        // As a change of the clock, which does not move the monotonic one.
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
        command
    }

    fn start(&self) -> Running {
        let child = Running(Some(self.command(&["--follow"]).spawn().unwrap()));
        self.site.wait("beat", || self.site.path("root/.sifcache/queue/beat").exists());
        child
    }

    fn fill(&self) -> super::Output {
        end(Running(Some(self.command(&["--once"]).spawn().unwrap())))
    }

    fn stop(&self, child: Running) -> super::Output {
        signal(&child, "-TERM");
        let output = end(child);
        assert_eq!(output.status, Some(143), "{output:?}");
        output
    }

    /// Asks for an image that is refused, and waits for the answer: everything that was asked for
    /// before has then been processed.
    fn catch_up(&self, number: u32) {
        let name = format!("forbidden/i:{number}");
        self.site.miss(1001, &name);
        let is_refused = |text: &String| text.contains(&name) && text.contains("state=refused");
        self.site.wait(&name, || self.site.queue().iter().any(is_refused));
    }
}

/// Neither a pause nor the limit per hour ends early, and no request waits for longer.
#[test]
fn a_jump_does_not_change_pauses_and_limits_of_a_running_filler() {
    for (number, offset) in (1..).zip(["+10d", "-10d", "+20y"]) {
        let Some(wrong) = Wrong::new(FAILS) else { return };
        let child = wrong.start();
        wrong.site.miss(1001, "o/i:1");
        wrong.site.wait("a failure", || {
            wrong.site.queue().iter().any(|text| text.contains("state=failed"))
        });
        wrong.set(offset);
        wrong.site.runtime(PULLS);
        // The line has the real time, which is now in the past or in the future.
        wrong.site.miss(1001, "o/i:2");
        wrong.site.wait(&format!("{offset} {:?}", wrong.site.queue()), || wrong.site.has("o/i:2"));
        wrong.site.miss(1001, "o/i:1");
        wrong.site.miss(1001, "o/i:3");
        wrong.catch_up(number);
        let state = |name: &str| wrong.site.queue().into_iter().find(|text| text.contains(name));
        assert!(state("o/i:1").unwrap().contains("state=failed"), "{offset}");
        assert!(state("o/i:3").unwrap().contains("state=queued"), "{offset}");
        // The clock is right again.
        wrong.set("+0");
        wrong.catch_up(100 + number);
        wrong.stop(child);
        assert_eq!(wrong.site.calls(), 2, "{offset}");
    }
}

/// What was saved has times of another clock. Nothing is stuck, and nothing is repeated.
#[test]
fn a_restart_after_a_jump_goes_on() {
    for offset in ["+10d", "-10d", "-50y"] {
        let Some(wrong) = Wrong::new(PULLS) else { return };
        // The log is known.
        assert_eq!(wrong.fill().status, Some(0));
        wrong.set(offset);
        wrong.site.miss(1001, "o/i:1");
        assert_eq!(wrong.fill().status, Some(0), "{offset}");
        assert!(wrong.site.has("o/i:1"), "{offset}");
        wrong.set("+0");
        wrong.site.miss(1002, "o/i:2");
        wrong.site.miss(1002, "o/i:1");
        let output = wrong.fill();
        assert_eq!(output.status, Some(0), "{offset}: {output:?}");
        assert!(wrong.site.has("o/i:2"), "{offset}: {output:?}");
        assert_eq!(wrong.site.calls(), 2, "{offset}");
        // A pull of the future counts as one of now, and one of the past does not count.
        wrong.site.miss(1002, "o/i:3");
        let output = wrong.fill();
        let added = usize::from(offset != "+10d");
        assert_eq!(wrong.site.calls(), 2 + added, "{offset}: {output:?}");
    }
}

/// Quiet hours follow the clock of the host: images wait in them, and are added afterwards.
#[test]
fn a_jump_into_quiet_hours_and_out_of_them() {
    let Some(wrong) = Wrong::new(PULLS) else { return };
    let now = jiff::Zoned::now();
    let at = |hours: i64| {
        now.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap().strftime("%H:%M")
    };
    let quiet = format!("quiet = [\"{}-{}\"]\n", at(4), at(8));
    fs::write(wrong.site.path("fill.toml"), format!("{POLICY}{quiet}")).unwrap();
    let child = wrong.start();
    wrong.set("+6h");
    wrong.site.miss(1001, "o/i:1");
    let waits = |text: &String| text.contains("o/i:1") && text.contains("quiet hours");
    wrong.site.wait("quiet hours", || wrong.site.queue().iter().any(waits));
    // Verdicts come in the order of the requests.
    wrong.catch_up(1);
    wrong.catch_up(2);
    assert_eq!(wrong.site.calls(), 0);
    wrong.set("+10h");
    wrong.site.wait("o/i:1", || wrong.site.has("o/i:1"));
    wrong.stop(child);
}
