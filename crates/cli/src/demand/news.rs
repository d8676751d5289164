//! News for the clients of the listener that wait for an image: the content of its queue file.
//!
//! The filler's loop publishes, and the listener's thread reads. The loop never waits for a client:
//! the lock is only held to compare or copy entries in memory, and a byte in a socket wakes the
//! listener.
//!
//! An entry changes when its queue file would be written ([`Written::urgency`]), so both usually
//! have the same beat. A reader that has seen a result in one of them then does not mistake it for a
//! new one in the other.

use crate::demand::board::{MAX_ENTRIES, Notice, Written};
use sifcache_core::queue::{Entry, State};
use sifcache_core::reference::Reference;
use std::collections::HashMap;
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The entries that the filler has published. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Publisher(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// By printed reference.
    published: Mutex<HashMap<String, Published>>,
    wakeup_sender: UnixStream,
}

#[derive(Debug)]
struct Published {
    written: Written,
    entry: Arc<Entry>,
    /// Whether the image was requested again since it was added.
    outdated: bool,
}

impl Published {
    fn new(notice: &Notice, beat: u64, at: Instant) -> Self {
        let entry = Arc::new(notice.entry(beat));
        Self { written: Written { notice: notice.clone(), at }, entry, outdated: false }
    }
}

impl Publisher {
    /// A publisher without entries, and a non-blocking socket that becomes readable after each
    /// change.
    ///
    /// # Errors
    /// There are too many open files.
    pub(crate) fn open() -> io::Result<(Self, UnixStream)> {
        let (wakeup_sender, wakeups) = UnixStream::pair()?;
        wakeup_sender.set_nonblocking(true)?;
        wakeups.set_nonblocking(true)?;
        Ok((Self(Arc::new(Shared { published: Mutex::default(), wakeup_sender })), wakeups))
    }

    /// Replaces everything that was published before. The arguments are those of
    /// [`Board::update`](crate::demand::board::Board::update).
    pub(crate) fn publish(&self, notices: &[Notice], beat: u64, now: Instant, last: bool) {
        let mut is_new = false;
        let mut published = self.published();
        let mut before = std::mem::take(&mut *published);
        for notice in notices.iter().take(MAX_ENTRIES) {
            let name = notice.reference.to_string();
            if published.contains_key(&name) {
                continue;
            }
            let is_current = |one: &Published| one.written.urgency(notice, now, last).is_none();
            let kept = before.remove(&name).filter(is_current);
            is_new |= kept.is_none();
            let one = kept.unwrap_or_else(|| Published::new(notice, beat, now));
            published.insert(name, one);
        }
        drop(published);
        if is_new {
            self.wake();
        }
    }

    /// Publishes one result before the next [`Self::publish`].
    pub(crate) fn tell(&self, notice: &Notice, beat: u64, now: Instant) {
        let name = notice.reference.to_string();
        self.published().insert(name, Published::new(notice, beat, now));
        self.wake();
    }

    /// Notes that an image is requested again, so it may have been removed after it was added. Its
    /// published result is then not an answer to this request, even if the filler publishes it again
    /// before it receives the request.
    pub(crate) fn forget_done(&self, reference: &Reference) {
        if let Some(one) = self.published().get_mut(&reference.to_string()) {
            one.outdated = one.entry.state == State::Done;
        }
    }

    /// The entry of the image with this printed reference. It is the same allocation until the
    /// entry changes.
    pub(crate) fn entry(&self, reference: &str) -> Option<Arc<Entry>> {
        let published = self.published();
        let one = published.get(reference).filter(|one| !one.outdated)?;
        Some(Arc::clone(&one.entry))
    }

    /// Wakes the listener.
    pub(crate) fn wake(&self) {
        // If the socket is full, the listener is about to wake up.
        let _ = (&self.0.wakeup_sender).write(&[0]);
    }

    fn published(&self) -> MutexGuard<'_, HashMap<String, Published>> {
        self.0.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Publisher;
    use crate::demand::board::Notice;
    use sifcache_core::queue::State;
    use sifcache_core::reference::Reference;
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    const NAME: &str = "docker.io/o/i:1";

    fn reference() -> Reference {
        Reference::parse(NAME.as_bytes()).unwrap()
    }

    fn notice(state: State, request: u64) -> Notice {
        Notice { request, ..Notice::without_progress(reference(), state) }
    }

    /// Whether the listener was woken since the last call.
    fn was_woken(wakeups: &mut UnixStream) -> bool {
        let mut bytes = [0; 64];
        wakeups.read(&mut bytes).is_ok_and(|length| length > 0)
    }

    #[test]
    fn an_entry_changes_when_its_queue_file_would_be_written() {
        let (news, mut wakeups) = Publisher::open().unwrap();
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let queued = notice(State::Queued, 0);
        let ahead = Notice { ahead: 1, ..queued.clone() };
        for (notice, beat, millis, expected) in [
            (&queued, 1, 0, (true, 1)),
            (&queued, 2, 1000, (false, 1)),
            (&ahead, 3, 1200, (true, 3)),
            (&queued, 4, 1400, (false, 3)),
            (&queued, 5, 2200, (true, 5)),
            (&queued, 10, 10_199, (false, 5)),
            (&queued, 11, 10_200, (true, 11)),
            (&notice(State::Refused, 1), 12, 10_201, (true, 12)),
            (&notice(State::Refused, 1), 90, 90_000, (false, 12)),
            (&notice(State::Refused, 2), 91, 91_000, (true, 91)),
        ] {
            news.publish(&[notice.clone(), notice.clone()], beat, after(millis), false);
            let entry = news.entry(NAME).unwrap();
            assert_eq!((was_woken(&mut wakeups), entry.beat), expected, "{beat}");
        }
        // The filler ends.
        news.publish(&[notice(State::Refused, 3)], 92, after(91_001), true);
        assert_eq!(news.entry(NAME).unwrap().beat, 92);
        news.publish(&[], 93, after(92_000), false);
        assert_eq!(news.entry(NAME), None);
    }

    #[test]
    fn a_result_is_known_at_once() {
        let (news, mut wakeups) = Publisher::open().unwrap();
        let now = Instant::now();
        news.publish(&[notice(State::Pulling, 0)], 1, now, false);
        news.tell(&notice(State::Done, 0), 2, now);
        assert!(was_woken(&mut wakeups));
        let told = news.entry(NAME).unwrap();
        assert_eq!((told.state, told.beat), (State::Done, 2));
        // The next publication repeats nothing.
        news.publish(&[notice(State::Done, 0)], 3, now + Duration::from_secs(9), false);
        assert!(!was_woken(&mut wakeups) && Arc::ptr_eq(&told, &news.entry(NAME).unwrap()));
    }

    #[test]
    fn only_an_addition_is_forgotten() {
        let (news, _wakeups) = Publisher::open().unwrap();
        let now = Instant::now();
        for state in [State::Queued, State::Pulling, State::Refused, State::Failed, State::Done] {
            news.tell(&notice(state, 0), 1, now);
            news.forget_done(&reference());
            assert_eq!(news.entry(NAME).is_none(), state == State::Done);
        }
        // The filler does not have the request yet, and then it has.
        news.publish(&[notice(State::Done, 0)], 2, now, false);
        assert_eq!(news.entry(NAME), None);
        news.tell(&notice(State::Done, 0), 3, now);
        assert!(news.entry(NAME).is_some());
    }

    /// Nobody listens, and the loop goes on.
    #[test]
    fn a_bell_that_nobody_hears_does_not_block() {
        let (news, wakeups) = Publisher::open().unwrap();
        (0..100_000).for_each(|_| news.wake());
        drop(wakeups);
        news.wake();
    }
}
