//! Runs work that may block forever on a hung file server. The work runs in a separate thread,
//! which is abandoned when it has made no progress for too long.

use crate::error::Failure;
use crate::system::signals;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// Interval for checking for signals such as Ctrl-C.
const TICK: Duration = Duration::from_millis(50);

/// Records the progress of worker threads, and the paths that they are busy with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchdog(Arc<Activity>);

#[derive(Debug, Default)]
struct Activity {
    /// Incremented with each step. Not under a lock, because several threads make many steps.
    count: AtomicU64,
    busy: Mutex<HashMap<ThreadId, PathBuf>>,
}

impl Watchdog {
    /// Runs `work` on a path. The work may block on the file system.
    pub(crate) fn at<T>(&self, path: &Path, work: impl FnOnce() -> T) -> T {
        let thread = thread::current().id();
        self.change(|busy| busy.insert(thread, path.to_owned()));
        let result = work();
        self.change(|busy| busy.remove(&thread));
        result
    }

    /// Reports progress.
    pub(crate) fn progress(&self) {
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<ThreadId, PathBuf>) -> T) {
        self.progress();
        change(&mut self.busy());
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<ThreadId, PathBuf>> {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of the work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome<T> {
    /// The work is complete.
    Done(T),
    /// The work made no progress: the paths that its threads are busy with.
    Stuck(Vec<PathBuf>),
}

/// Runs `work`, as long as it makes progress at least once per `timeout`.
///
/// # Errors
/// A signal asked the command to stop, or the thread ended before its work was complete.
pub(crate) fn wait<T: Send + 'static>(
    timeout: Duration,
    work: impl FnOnce(&Watchdog) -> T + Send + 'static,
) -> Result<Outcome<T>, Failure> {
    let watchdog = Watchdog::default();
    let (sender, receiver) = mpsc::channel();
    let worker = watchdog.clone();
    thread::spawn(move || sender.send(work(&worker)));
    let (mut count, mut since) = (0, Instant::now());
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(result) => return Ok(Outcome::Done(result)),
            Err(RecvTimeoutError::Timeout) => signals::check()?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::Thread);
            }
        }
        let steps = watchdog.0.count.load(Ordering::Relaxed);
        if steps != count {
            (count, since) = (steps, Instant::now());
        } else if since.elapsed() > timeout {
            let mut paths: Vec<PathBuf> = watchdog.busy().values().cloned().collect();
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
    fn work_with_progress_is_not_interrupted() {
        let outcome = wait(Duration::from_millis(300), |watchdog| {
            for _ in 0..8 {
                watchdog.at(Path::new("/slow"), || sleep(Duration::from_millis(100)));
            }
            5
        });
        assert_eq!(outcome.unwrap(), Outcome::Done(5));
    }

    #[test]
    fn hung_work_is_abandoned_and_its_path_reported() {
        let outcome = wait(Duration::from_millis(100), |watchdog| {
            watchdog.at(Path::new("/fine"), || ());
            watchdog.at(Path::new("/dead"), || sleep(Duration::from_secs(3600)));
        });
        assert_eq!(outcome.unwrap(), Outcome::Stuck(vec![PathBuf::from("/dead")]));
    }
}
