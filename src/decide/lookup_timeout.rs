//! `lookup_timeout=`: how long a launch waits for an image root that does not answer.
//!
//! A system call on a hung file server can block uninterruptibly, so the probe runs in a helper
//! process. If that process makes no progress for the timeout, the launch goes on without the
//! root. No helper process is needed for what the kernel has cached of a local disk.

use crate::fault;
use crate::spank::{Exiting, known_attributes, open_at, within, within_and_exiting};
use crate::spank::{cached_attributes, local_attributes, open_cached, open_cached_at, read_cached};
use sifcache_core::image::State;
use sifcache_core::lookup::{Answer, CachedCalls, Inline, Probe, Prober, SystemCalls, has_image};
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

/// A [`Prober`] that runs each probe in a helper process; without a timeout it runs them inline.
///
/// It does not wait for the exit of a helper process that has done its work until it is dropped. It
/// must therefore be dropped before the `execve`.
#[derive(Debug)]
pub struct WithTimeout {
    /// The timeout; `None` means no limit.
    timeout: Option<Duration>,
    /// The last helper process.
    exiting: RefCell<Option<Exiting>>,
}

impl Prober for WithTimeout {
    fn run(&self, probe: Probe<'_>) -> Vec<Answer> {
        let Some(timeout) = self.timeout else { return Inline.run(probe) };
        let work = |report: &mut dyn FnMut(Answer)| {
            fault::point("probe");
            probe(report);
        };
        self.wait_for_exit();
        let (mut answers, complete, exiting) = within_and_exiting(timeout, &work);
        self.exiting.replace(exiting);
        if !complete && !answers.iter().any(has_image) {
            answers.push(Err(State::NoAnswer));
        }
        answers
    }

    fn system_calls(&self) -> Option<SystemCalls> {
        Some(SystemCalls { open_at, known_attributes })
    }

    /// They replace the helper process. Without a timeout there is none.
    fn cached_calls(&self) -> Option<CachedCalls> {
        self.timeout.map(|_| CachedCalls {
            open: open_cached,
            relative: SystemCalls { open_at: open_cached_at, known_attributes: cached_attributes },
            local_attributes,
            read_start: read_cached,
        })
    }
}

impl WithTimeout {
    /// A prober with this timeout; `None` means no limit.
    #[must_use]
    pub fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, exiting: RefCell::new(None) }
    }

    /// Waits for the exit of the last helper process. Call this before work that can take long.
    pub(crate) fn wait_for_exit(&self) {
        drop(self.exiting.take());
    }

    /// Calls `make` with the `readable` image roots, whose files it may read. If that takes longer
    /// than the timeout, calls `make` without any root.
    pub(crate) fn text(&self, readable: &[PathBuf], make: &dyn Fn(&[PathBuf]) -> String) -> String {
        let Some(timeout) = self.timeout else { return make(readable) };
        let work = |report: &mut dyn FnMut(String)| report(make(readable));
        within(timeout, &work).0.pop().unwrap_or_else(|| make(&[]))
    }
}

#[cfg(test)]
mod tests {
    use super::WithTimeout;
    use sifcache_core::image::State::{self, Absent, Empty, Failed, Image, NoAnswer, NoRoot};
    use sifcache_core::lookup::{Answer, Candidate, Prober};
    use std::path::PathBuf;
    use std::time::Duration;

    fn inline() -> WithTimeout {
        WithTimeout::new(None)
    }

    fn long() -> WithTimeout {
        WithTimeout::new(Some(Duration::from_secs(600)))
    }

    fn short() -> WithTimeout {
        WithTimeout::new(Some(Duration::from_secs(1)))
    }

    /// The answer of a root whose candidates have these states.
    fn states(states: &[State]) -> Answer {
        let candidate = |state: &State| Candidate { path: "/sif/i".into(), state: state.clone() };
        Ok(states.iter().map(candidate).collect())
    }

    #[test]
    fn answers_are_the_same_inline_and_from_a_helper_process() {
        let answers =
            [states(&[Empty, Failed(5)]), Err(NoRoot), states(&[]), states(&[Absent, Image])];
        let probe = |report: &mut dyn FnMut(_)| answers.iter().cloned().for_each(report);
        let misses = |report: &mut dyn FnMut(_)| answers[..3].iter().cloned().for_each(report);
        for prober in [inline(), long()] {
            let what = prober.timeout;
            assert_eq!(prober.run(&probe), answers, "{what:?}");
            assert_eq!(prober.run(&misses), answers[..3], "{what:?}");
        }
    }

    #[test]
    fn a_lookup_ends_at_its_timeout() {
        let never = |_: &[PathBuf]| std::thread::sleep(Duration::from_secs(600));
        let probe = |report: &mut dyn FnMut(_)| {
            report(states(&[Absent]));
            never(&[]);
            report(states(&[Image]));
        };
        assert_eq!(short().run(&probe), [states(&[Absent]), Err(NoAnswer)]);
        let hit = |report: &mut dyn FnMut(_)| {
            report(states(&[Image]));
            never(&[]);
        };
        assert_eq!(short().run(&hit), [states(&[Image])]);
        let make = |readable: &[PathBuf]| {
            if !readable.is_empty() {
                never(readable);
            }
            "no root was read".to_owned()
        };
        assert_eq!(short().text(&[PathBuf::from("/sif")], &make), "no root was read");
    }

    #[test]
    fn a_text_of_what_is_there() {
        let make = |readable: &[PathBuf]| format!("{readable:?} of {}", std::process::id());
        let roots = [PathBuf::from("/sif")];
        assert_eq!(inline().text(&roots, &make), make(&roots));
        let made = long().text(&roots, &make);
        assert!(made.starts_with("[\"/sif\"] of ") && made != make(&roots), "{made}");
    }
}
