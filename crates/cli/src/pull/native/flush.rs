//! Writes a growing file to disk while it grows, so that the sync at its end has little to do.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle, Thread};
use std::time::Duration;

/// The time between two syncs.
const INTERVAL: Duration = Duration::from_millis(250);

/// Syncs `file` again and again while `work` runs, and returns the result of `work` and of the
/// syncs. The kernel reports a failed write to one sync only, so an error must not be ignored.
pub(super) fn during<T>(file: &File, work: impl FnOnce() -> T) -> (T, io::Result<()>) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let syncs = scope.spawn(|| {
            loop {
                file.sync_data()?;
                thread::park_timeout(INTERVAL);
                if done.load(Ordering::Acquire) {
                    return Ok(());
                }
            }
        });
        let end = End { done: &done, thread: syncs.thread() };
        let result = work();
        drop(end);
        (result, joined(syncs))
    })
}

fn joined(syncs: ScopedJoinHandle<'_, io::Result<()>>) -> io::Result<()> {
    syncs.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs has ended")))
}

/// Ends the thread, even if `work` panics.
struct End<'a> {
    done: &'a AtomicBool,
    thread: &'a Thread,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::during;
    use std::fs::File;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn the_work_is_not_delayed_and_a_panic_ends_the_thread() {
        let file = tempfile::tempfile().unwrap();
        let (result, synced) = during(&file, || 7);
        assert_eq!((result, synced.is_ok()), (7, true));
        let panics = catch_unwind(AssertUnwindSafe(|| during(&file, || panic!("as intended"))));
        assert!(panics.is_err());
    }

    #[test]
    fn a_failed_sync_is_reported() {
        // A sync of a pipe is EINVAL.
        let (pipe, _writer) = std::io::pipe().unwrap();
        let pipe = File::from(std::os::fd::OwnedFd::from(pipe));
        assert!(during(&pipe, || ()).1.is_err());
    }
}
