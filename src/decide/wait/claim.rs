//! The claim: a lock that one process of a node holds while it polls, by listening on the socket
//! [`NAME`]. The kernel releases the name when the process ends or executes its command.
//!
//! A process that takes turns with others takes the claim a [`SPACE`] before its poll. So the polls
//! of a node are that far apart, even if a process is preempted between its turn and its poll, or if
//! its wait ends with the poll.

use crate::spank::listen;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant};

/// The abstract name of the socket.
const NAME: &str = "sifcache-poll";

/// The shortest time between two polls of a node.
pub(super) const SPACE: Duration = Duration::from_secs(1);

/// The time between two attempts to take the claim.
const RETRY: Duration = Duration::from_millis(10);

/// The longest time that a process waits for the claim before it skips its turn. If many waits start
/// at once, the order of the turns keeps changing, and many processes try to poll in the same second.
const LONGEST: Duration = Duration::from_millis(2100);

/// The number of consecutive turns that a process skips. It then polls without the claim: every user
/// can listen on the name, which must not stop the polls of other users.
const PASSED: u32 = 2;

/// The claims of one process.
#[derive(Default)]
pub(super) struct Claim {
    held: Option<UnixListener>,
    /// The number of turns that this process has skipped since its last poll.
    passed: u32,
    /// The end of this process's last poll.
    last: Option<Instant>,
}

impl Claim {
    /// Takes the claim, and returns when this process may poll, or after about `limit`. With
    /// `is_alone`, no other process is known to poll. Returns false if the process has to skip this
    /// turn.
    pub(super) fn take(&mut self, is_alone: bool, limit: Duration) -> bool {
        self.take_as(NAME, is_alone, limit)
    }

    fn take_as(&mut self, name: &str, is_alone: bool, limit: Duration) -> bool {
        let start = Instant::now();
        let left = || limit.saturating_sub(start.elapsed());
        // A process that had to wait for the claim gets it right after a poll of another process.
        let is_alone = self.listen(name) && is_alone;
        while self.held.is_none() && start.elapsed() < limit.min(LONGEST) {
            thread::sleep(RETRY);
            self.listen(name);
        }
        if self.held.is_none() && self.passed < PASSED {
            self.passed += 1;
            return false;
        }
        thread::sleep(self.space(is_alone).min(left()));
        true
    }

    /// Whether this process now listens on the name.
    fn listen(&mut self, name: &str) -> bool {
        self.held = listen(name.as_bytes()).ok();
        self.held.is_some()
    }

    /// The time from now to the poll.
    fn space(&self, is_alone: bool) -> Duration {
        match self.last {
            _ if !is_alone => SPACE,
            Some(last) => SPACE.saturating_sub(last.elapsed()),
            None => Duration::ZERO,
        }
    }

    /// The poll has ended.
    pub(super) fn release(&mut self) {
        *self = Self { held: None, passed: 0, last: Some(Instant::now()) };
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
        claim.take_as(name, true, Duration::ZERO) && claim.held.is_some()
    }

    fn assert_apart(polls: &[Instant], count: usize) {
        assert_eq!(polls.len(), count);
        for pair in polls.windows(2) {
            assert!(pair[1] - pair[0] >= SPACE, "{polls:?}");
        }
    }

    /// However long each process waits between its turn and its poll, although each of them ends with
    /// its poll, and although one of them does not know of the others.
    #[test]
    fn polls_of_a_node_are_a_second_apart() {
        let (name, polls) = (name("apart"), Mutex::new(Vec::new()));
        let mut alone = Claim::default();
        assert!(takes(&mut alone, &name));
        polls.lock().unwrap().push(Instant::now());
        thread::scope(|scope| {
            for number in 1..=2 {
                let (name, polls) = (&name, &polls);
                scope.spawn(move || {
                    let mut claim = Claim::default();
                    while !claim.take_as(name, number == 1, SPACE * 600) {}
                    thread::sleep(Duration::from_millis(70 * number));
                    polls.lock().unwrap().push(Instant::now());
                });
            }
            // Both should see that the claim is taken.
            thread::sleep(SPACE / 2);
            drop(alone);
        });
        assert_apart(&polls.into_inner().unwrap(), 3);
    }

    #[test]
    fn polls_of_one_process_are_a_second_apart() {
        let (name, mut claim, mut polls) = (name("alone"), Claim::default(), Vec::new());
        for _ in 0..2 {
            assert!(claim.take_as(&name, true, SPACE * 600));
            polls.push(Instant::now());
            claim.release();
        }
        assert_apart(&polls, 2);
    }

    #[test]
    fn one_process_has_the_claim() {
        let name = name("one");
        let (mut first, mut other) = (Claim::default(), Claim::default());
        assert!(takes(&mut first, &name));
        assert!(!takes(&mut other, &name));
        first.release();
        assert!(takes(&mut other, &name));
    }

    /// As if another user had taken the name for ever.
    #[test]
    fn two_turns_pass_without_the_claim() {
        let name = name("passed");
        let (mut first, mut other) = (Claim::default(), Claim::default());
        assert!(takes(&mut first, &name));
        for _ in 0..2 {
            let polls = [(); 3].map(|()| other.take_as(&name, false, Duration::ZERO));
            assert_eq!(polls, [false, false, true]);
            assert!(other.held.is_none());
            other.release();
        }
    }

    #[test]
    fn only_the_first_poll_of_a_process_that_is_alone_is_at_once() {
        let mut claim = Claim::default();
        assert_eq!((claim.space(true), claim.space(false)), (Duration::ZERO, SPACE));
        claim.release();
        assert!(!claim.space(true).is_zero());
        claim.last = claim.last.map(|last| last - SPACE);
        assert_eq!((claim.space(true), claim.space(false)), (Duration::ZERO, SPACE));
    }
}
