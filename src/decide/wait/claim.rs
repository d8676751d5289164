//! The right to poll, which one process of a node has at a time: whoever listens on the socket
//! [`NAME`]. It is kept until a [`SPACE`] has passed since the end of the poll, so that polls of a node
//! are never closer together, even if a process loses the processor between its turn and its poll. The
//! kernel releases the name when the process ends or executes its command.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::thread;
use std::time::{Duration, Instant};

/// The abstract name of the socket.
const NAME: &str = "sifcache-poll";

/// The shortest time between two polls of a node.
pub(super) const SPACE: Duration = Duration::from_secs(1);

/// The time between two attempts to take the claim.
const RETRY: Duration = Duration::from_millis(10);

/// How long a process waits for the claim. Every user can listen on the name, and must not stop the
/// polls of others.
const LONGEST: Duration = Duration::from_millis(2100);

/// The claim of one process.
#[derive(Default)]
pub(super) struct Claim {
    /// The socket, and the end of the poll.
    held: Option<(UnixListener, Instant)>,
}

impl Claim {
    /// Takes the claim, or gives up after [`LONGEST`] or `limit`.
    pub(super) fn take(&mut self, limit: Duration) {
        self.take_as(NAME, limit.min(LONGEST));
    }

    fn take_as(&mut self, name: &str, limit: Duration) {
        let start = Instant::now();
        loop {
            let address = SocketAddr::from_abstract_name(name);
            if let Ok(socket) = address.and_then(|address| UnixListener::bind_addr(&address)) {
                self.held = Some((socket, Instant::now()));
                return;
            }
            if start.elapsed() >= limit {
                return;
            }
            thread::sleep(RETRY);
        }
    }

    /// The poll has ended.
    pub(super) fn polled(&mut self) {
        if let Some((_, end)) = &mut self.held {
            *end = Instant::now();
        }
    }

    /// Releases the claim when the others may poll, or after `limit`.
    pub(super) fn release(&mut self, limit: Duration) {
        thread::sleep(self.time_to_release().min(limit));
        self.held = None;
    }

    fn time_to_release(&self) -> Duration {
        let since = self.held.as_ref().map(|(_, end)| end.elapsed());
        since.map_or(Duration::ZERO, |since| SPACE.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, SPACE};
    use std::sync::Mutex;
    use std::thread;
    use std::time::{Duration, Instant};

    fn name(test: &str) -> String {
        format!("sifcache-poll/{}/{test}", std::process::id())
    }

    fn takes(claim: &mut Claim, name: &str) -> bool {
        claim.take_as(name, Duration::ZERO);
        claim.held.is_some()
    }

    /// However long each process waits between its turn and its poll.
    #[test]
    fn polls_of_a_node_are_a_second_apart() {
        let (name, polls) = (name("apart"), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for number in 0..3 {
                let (name, polls) = (&name, &polls);
                scope.spawn(move || {
                    let mut claim = Claim::default();
                    claim.take_as(name, SPACE * 600);
                    thread::sleep(Duration::from_millis(70 * number));
                    polls.lock().unwrap().push(Instant::now());
                    claim.polled();
                    claim.release(SPACE * 600);
                });
            }
        });
        let polls = polls.into_inner().unwrap();
        assert_eq!(polls.len(), 3);
        for pair in polls.windows(2) {
            assert!(pair[1] - pair[0] >= SPACE, "{polls:?}");
        }
    }

    #[test]
    fn one_process_has_the_claim() {
        let name = name("one");
        let (mut first, mut other) = (Claim::default(), Claim::default());
        assert!(takes(&mut first, &name));
        assert!(!takes(&mut other, &name));
        drop(first);
        assert!(takes(&mut other, &name));
    }

    #[test]
    fn a_claim_is_kept_after_the_poll() {
        let name = name("end");
        let (mut claim, mut other) = (Claim::default(), Claim::default());
        assert!(claim.time_to_release().is_zero());
        assert!(takes(&mut claim, &name));
        if let Some((_, end)) = &mut claim.held {
            *end -= SPACE;
        }
        assert!(claim.time_to_release().is_zero());
        claim.polled();
        assert!(!claim.time_to_release().is_zero());
        assert!(!takes(&mut other, &name));
        claim.release(Duration::ZERO);
        assert!(takes(&mut other, &name));
    }
}
