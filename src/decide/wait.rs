//! `on_miss=wait`: waits until `sifcache fill` has added a missing image.
//!
//! The line about the miss in syslog is the request, or at a site with a listener, a message
//! (`ask.rs`). The answer is the queue entry, a file under the last image root that only the filler
//! writes: `sifcache_core::queue`. At a site with a listener, a relay passes the same entry on, and
//! no process reads the file.
//!
//! | file | holds |
//! | --- | --- |
//! | `watch.rs` | the rules: when a wait ends, and why |
//! | `news.rs` | where entries come from: this process, another one of the user, or a relay |
//! | `slot.rs` | turns: when each process of a node polls |
//! | `claim.rs` | the lock that keeps two polls of a node at least a second apart |
//! | `poll.rs` | access to the file server, with the timeout of a lookup |
//! | `progress.rs` | messages for the user |
//!
//! The process uses the default actions of its signals, so that a signal ends the wait as it would
//! end the command.

mod claim;
#[cfg(test)]
mod example;
mod news;
mod poll;
mod progress;
mod slot;
mod watch;

use crate::NAME;
use crate::fault;
use crate::job::Job;
use crate::spank::{DefaultSignals, set_name, stderr_is_terminal};
use news::News;
use poll::Polls;
use progress::Progress;
use sifcache_core::command_line::{self, Level};
use sifcache_core::decision::{Decision, Verdict};
use sifcache_core::queue;
use sifcache_core::settings::{OnMiss, Settings};
use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use watch::{End, Step, Watch};

/// The image root that the filler adds images to. `None` if there is none, or if it could not be
/// read in the lookup.
pub(crate) fn root<'a>(settings: &'a Settings, decision: &Decision) -> Option<&'a Path> {
    let root = settings.image_roots.last()?;
    decision.unusable_roots().all(|unusable| unusable.path != *root).then_some(root)
}

/// Waits at most `limit` for the image of `decision`, a miss, to appear under `root`. `relay` is the
/// abstract name of the socket of a relay, if there may be one: see `ask.rs`. `look` repeats the
/// decision. Returns the hit; `None` if the miss has to be handled according to `on_miss`.
pub(crate) fn for_image(
    job: &dyn Job,
    decision: &Decision,
    (settings, root, relay): (&Settings, &Path, Option<String>),
    (limit, on_miss): (Duration, OnMiss),
    look: &dyn Fn() -> Decision,
) -> Option<Decision> {
    fault::point("wait");
    let _name = ProcessName::new();
    let _signals = DefaultSignals::new();
    let reference = decision.reference()?;
    let file = root.join(queue::file(reference));
    let key = queue::hash(file.as_os_str().as_encoded_bytes());
    let mut news = News::new(job.step().uid, key, relay);
    let mut messages = Messages::new(job, settings);
    let start = Instant::now();
    let mut polls = Polls::new(&file, settings.lookup_timeout);
    let mut poll = || polls.poll(start.elapsed() >= watch::ANSWER);
    let mut watch = Watch::new(reference.to_string(), limit);
    loop {
        let seen = news.next(watch.left(start.elapsed()), &mut poll);
        let mut step = watch.see(start.elapsed(), seen);
        if step == Step::Look {
            poll::open_directories(root, decision, settings.lookup_timeout);
            let found = look();
            if found.verdict == Verdict::Hit {
                messages.found(&watch, start.elapsed());
                return Some(found);
            }
            step = watch.not_found(start.elapsed());
        }
        match step {
            Step::End(end) => {
                messages.end(&watch, &end, on_miss);
                return None;
            }
            Step::Wait | Step::Look => messages.go_on(&watch, start.elapsed()),
        }
    }
}

/// The name of this process in ps(1) during a wait.
///
/// A process that is named slurmstepd cannot be cancelled: proctrack/linuxproc sends no signal to it,
/// not even SIGKILL.
struct ProcessName {
    before: Option<CString>,
}

impl ProcessName {
    fn new() -> Self {
        let before = fs::read("/proc/self/comm").ok();
        set_name(c"sifcache-wait");
        Self { before: before.and_then(|name| CString::new(name.trim_ascii_end()).ok()) }
    }
}

impl Drop for ProcessName {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            set_name(before);
        }
    }
}

/// The messages about one wait.
struct Messages<'a> {
    job: &'a dyn Job,
    /// `None` if another process prints the messages, or if the user has turned them off.
    progress: Option<Progress>,
}

impl<'a> Messages<'a> {
    /// The tasks of a step wait for the same image, so only its first task prints messages. The flags
    /// and variables that make the runtime quiet also suppress these messages.
    fn new(job: &'a dyn Job, settings: &Settings) -> Self {
        let step = job.step();
        let variable = |name: &str| job.variable(name);
        let level = command_line::level(&job.command(), &settings.runtimes, &variable);
        let is_quiet = matches!(level, Level::Quiet | Level::Silent);
        let prints = step.is_first_of_node() && step.node == 0 && !is_quiet;
        let progress = prints.then(|| Progress::new(stderr_is_terminal()));
        Self { job, progress }
    }

    fn go_on(&mut self, watch: &Watch, now: Duration) {
        let Some((progress, entry)) = self.progress.as_mut().zip(watch.entry()) else { return };
        if let Some(text) = progress.show(now, watch.left(now), entry) {
            self.job.write_stderr(&text);
        }
    }

    fn found(&self, watch: &Watch, now: Duration) {
        let Some(progress) = self.progress.as_ref().filter(|progress| progress.has_begun()) else {
            return;
        };
        let (clear, reference) = (progress.clear(), watch.reference());
        let seconds = now.as_secs();
        let text = format!("{NAME}: {reference} is in the image cache now, after {seconds} s");
        self.job.write_stderr(&format!("{clear}{text}\n"));
    }

    fn end(&self, watch: &Watch, end: &End, on_miss: OnMiss) {
        let reference = watch.reference();
        if self.job.step().is_reporter() {
            log::info!("the wait for {reference} has ended: {end}");
        }
        let Some(progress) = &self.progress else { return };
        // With the other values, a message about the miss follows.
        let next = if on_miss == OnMiss::Pull { "; the runtime now pulls it" } else { "" };
        let clear = progress.clear();
        let text = format!("{NAME}: the wait for {reference} has ended: {end}{next}");
        self.job.write_stderr(&format!("{clear}{text}\n"));
    }
}

#[cfg(test)]
mod tests;
