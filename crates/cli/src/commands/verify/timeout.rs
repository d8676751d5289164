//! Work that a dead file server may keep from ever ending: it is done in a thread of its
//! own, which is left behind when nothing has moved for too long.

use crate::error::{Exit, Failure};
use crate::system::signals;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// How soon Ctrl-C counts.
const TICK: Duration = Duration::from_millis(50);

/// Where the threads of some work are, and that they move.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse(Arc<Mutex<Beats>>);

#[derive(Debug, Default)]
struct Beats {
    count: u64,
    busy: HashMap<ThreadId, PathBuf>,
}

impl Pulse {
    /// Does something with a path that the file system may never answer for.
    pub(crate) fn at<T>(&self, path: &Path, work: impl FnOnce() -> T) -> T {
        let thread = thread::current().id();
        self.change(|busy| busy.insert(thread, path.to_owned()));
        let result = work();
        self.change(|busy| busy.remove(&thread));
        result
    }

    /// Says that work still moves.
    pub(crate) fn beat(&self) {
        self.lock().count += 1;
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<ThreadId, PathBuf>) -> T) {
        let mut beats = self.lock();
        beats.count += 1;
        change(&mut beats.busy);
    }

    fn lock(&self) -> MutexGuard<'_, Beats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of the work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome<T> {
    /// It has ended.
    Done(T),
    /// It will not, soon: the paths that it is at.
    Stuck(Vec<PathBuf>),
}

/// Does `work`, as long as it moves once in `lookup_timeout`.
///
/// # Errors
/// That a signal asked the command to end.
pub(crate) fn wait<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce(&Pulse) -> T + Send + 'static,
) -> Result<Outcome<T>, Failure> {
    let pulse = Pulse::default();
    let (sender, receiver) = mpsc::channel();
    let theirs = pulse.clone();
    thread::spawn(move || sender.send(work(&theirs)));
    let (mut count, mut since) = (0, Instant::now());
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(result) => return Ok(Outcome::Done(result)),
            Err(RecvTimeoutError::Timeout) => signals::check()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::new(Exit::IO, "a thread ended before its work did"));
            }
        }
        let beats = pulse.lock();
        if beats.count != count {
            (count, since) = (beats.count, Instant::now());
        } else if since.elapsed() > timeout {
            let mut paths: Vec<PathBuf> = beats.busy.values().cloned().collect();
            paths.sort();
            return Ok(Outcome::Stuck(paths));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, wait};
    use std::path::{Path, PathBuf};
    use std::thread::sleep;
    use std::time::Duration;

    #[test]
    fn what_moves_may_take_its_time() {
        let outcome = wait(Duration::from_millis(300), |pulse| {
            for _ in 0..8 {
                pulse.at(Path::new("/slow"), || sleep(Duration::from_millis(100)));
            }
            5
        });
        assert_eq!(outcome.unwrap(), Outcome::Done(5));
    }

    #[test]
    fn what_hangs_is_named_and_left() {
        let outcome = wait(Duration::from_millis(100), |pulse| {
            pulse.at(Path::new("/fine"), || ());
            pulse.at(Path::new("/dead"), || sleep(Duration::from_secs(3600)));
        });
        assert_eq!(outcome.unwrap(), Outcome::Stuck(vec![PathBuf::from("/dead")]));
    }
}
