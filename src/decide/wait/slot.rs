//! When a process may poll: on each node, at most one poll a second, for any number of images.
//!
//! Each process that polls listens on a socket whose name starts with [`PREFIX`]. All users can see
//! these names in `/proc/net/unix`. The processes take turns of one [`SLOT`] each, in the order of
//! the names. Slots are counted by the uptime of the node, which differs between nodes, so that nodes
//! do not poll at the same time. As long as a process is alone, it polls once in each slot, but does
//! not wait for the start of a slot. In its slot, a process also needs the [`Claim`].

use super::claim::Claim;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// The start of the socket names.
pub(super) const PREFIX: &str = "sifcache-wait/";

/// The largest number of processes that take turns, so that no user can stop the polls of others
/// with sockets of the same kind. With more processes, there is more than one poll a second. Few
/// nodes have that many processors, and few tasks share a processor.
pub(super) const MOST: u64 = 300;

/// The length of a turn in hundredths of a second: the second between two polls, and some time for a
/// process to wake up and poll.
const SLOT: u64 = 110;

/// The time from the start of a wait to the first poll of a process that is alone, in hundredths of
/// a second. Most fills of small images have ended by then.
const FIRST: u64 = 55;

/// All sockets, see proc_net(5).
const TABLE: &str = "/proc/net/unix";

/// The flag of a socket that listens, in this table.
const LISTENS: &str = "00010000";

/// The number of attempts to reach a turn while the order of the processes changes. After them, the
/// process polls in any case.
const MISSED: u32 = 3;

/// The turns of one process.
pub(super) struct Turns {
    /// Where in a slot this process polls, in hundredths of a second, while it is alone. `None` once
    /// it has seen another process, which may have polled in the same slot.
    phase: Option<u64>,
    claim: Claim,
}

impl Turns {
    /// The turns in a wait that starts now.
    pub(super) fn new() -> Self {
        Self { phase: Some((uptime() + FIRST) % SLOT), claim: Claim::default() }
    }

    /// Sleeps until the turn of the process that listens on `name`, or for `limit`. Two of its turns
    /// are at least `least` slots apart.
    pub(super) fn await_next(&mut self, name: &str, least: u64, limit: Duration) {
        let start = Instant::now();
        let left = || limit.saturating_sub(start.elapsed());
        loop {
            self.await_turn(name, least, left());
            if self.claim.take(self.is_alone(), left()) || left().is_zero() {
                return;
            }
        }
    }

    fn await_turn(&mut self, name: &str, least: u64, limit: Duration) {
        let start = Instant::now();
        let left = || limit.saturating_sub(start.elapsed());
        let mut order = Order::of(name, least);
        for _ in 0..MISSED {
            thread::sleep(self.time_to_turn(uptime(), order).min(left()));
            // If more processes listen now, this slot may belong to another one.
            order = Order::of(name, least);
            self.see(order);
            if left().is_zero() || order.has(uptime()) {
                break;
            }
        }
    }

    /// The poll of this turn has ended.
    pub(super) fn polled(&mut self) {
        self.claim.release();
    }

    /// Whether no other process is known to poll.
    pub(super) fn is_alone(&self) -> bool {
        self.phase.is_some()
    }

    /// Notes that another process polls, or has polled until now.
    pub(super) fn see_other(&mut self) {
        self.phase = None;
    }

    fn see(&mut self, order: Order) {
        if order.all > 1 {
            self.see_other();
        }
    }

    /// The time from `now`, in hundredths of a second of the uptime, to the next turn.
    fn time_to_turn(&mut self, now: u64, order: Order) -> Duration {
        self.see(order);
        match self.phase {
            Some(phase) => hundredths((phase + SLOT - 1 - now % SLOT) % SLOT + 1),
            None => order.time_to_slot(now),
        }
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    /// The index of this process.
    own: u64,
    /// The number of processes, or the number of slots between two turns if it is larger.
    all: u64,
}

impl Order {
    /// The order of the process that listens on `name`.
    fn of(name: &str, least: u64) -> Self {
        let sockets = fs::read(TABLE).unwrap_or_default();
        let Self { own, all } = Self::read(&String::from_utf8_lossy(&sockets), name);
        Self { own, all: all.max(least) }
    }

    /// The index of `name` among all names, and their number.
    fn read(table: &str, name: &str) -> Self {
        let names = table.lines().filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let (listens, path) = (fields.nth(3)? == LISTENS, fields.nth(3)?);
            path.strip_prefix('@').filter(|path| listens && path.starts_with(PREFIX))
        });
        let (mut own, mut all) = (0, 0);
        for other in names {
            all += 1;
            own += u64::from(other < name);
        }
        let all = MOST.min(all).max(1);
        Self { own: own % all, all }
    }

    /// Whether the slot at `now`, in hundredths of a second, is a turn of this process.
    fn has(self, now: u64) -> bool {
        now / SLOT % self.all == self.own
    }

    /// The time from `now`, in hundredths of a second, to the start of this process's next slot.
    fn time_to_slot(self, now: u64) -> Duration {
        let next = now / SLOT + 1;
        let turns = (self.own + self.all - next % self.all) % self.all;
        let start = next.saturating_add(turns).saturating_mul(SLOT);
        hundredths(start.saturating_sub(now))
    }
}

fn hundredths(count: u64) -> Duration {
    Duration::from_millis(count.saturating_mul(10))
}

/// The uptime of the node in hundredths of a second.
fn uptime() -> u64 {
    let uptime = fs::read_to_string("/proc/uptime").ok().and_then(|text| first_number(&text));
    uptime.unwrap_or_default()
}

/// The first number of `/proc/uptime`, see proc(5), in hundredths.
fn first_number(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_ascii_whitespace().next()?.split_once('.')?;
    let (seconds, fraction): (u64, u64) = (seconds.parse().ok()?, fraction.parse().ok()?);
    seconds.checked_mul(100)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::{Claim, MOST, Order, SLOT, Turns, first_number, hundredths, uptime};
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};
    use std::time::Duration;

    const TABLE: &str = "\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 20001 @sifcache-wait/7/b/0
0000000000000000: 00000003 00000000 00000000 0001 03 20002 @sifcache-wait/7/b/0
0000000000000000: 00000003 00000000 00000000 0001 03 20003
0000000000000000: 00000002 00000000 00010000 0001 01 20004 /run/sifcache-wait/7/c/0
0000000000000000: 00000002 00000000 00010000 0001 01 20005 @sifcache-wait/7/a/0
0000000000000000: 00000002 00000000 00010000 0001 01 20006 @sifcache-wait/8/a/0
";

    #[test]
    fn processes_that_listen_take_turns() {
        let orders = ["7/a/0", "7/b/0", "8/a/0"]
            .map(|name| Order::read(TABLE, &format!("sifcache-wait/{name}")));
        assert_eq!(orders, [0, 1, 2].map(|own| Order { own, all: 3 }));
        assert_eq!(Order::read("", "sifcache-wait/7/a/0"), Order { own: 0, all: 1 });
        let line = TABLE.lines().nth(1).unwrap();
        let many: String =
            (0..200).map(|n| line.replace("/b/", &format!("/b{n:03}/")) + "\n").collect();
        let order = Order::read(&many, "sifcache-wait/7/b100/0");
        assert_eq!(order, Order { own: 100, all: 200 });
        let crowd = format!("{line}\n").repeat(1000);
        let order = Order::read(&crowd, "sifcache-wait/9");
        assert_eq!(order, Order { own: 1000 % MOST, all: MOST });
    }

    fn with_phase(phase: u64) -> Turns {
        Turns { phase: Some(phase), claim: Claim::default() }
    }

    /// The uptime after a sleep, in hundredths. A process sleeps a little longer than it asks for.
    fn after(now: u64, sleep: Duration) -> u64 {
        now + u64::try_from(sleep.as_millis()).unwrap() / 10 + 3
    }

    /// Any number of processes have different slots, and each has one in every round.
    #[test]
    fn no_two_turns_are_in_the_same_slot() {
        for all in 2..8 {
            let mut slots = Vec::new();
            for own in 0..all {
                let (mut now, order) = (12_345_678, Order { own, all });
                let mut turns = with_phase(38);
                for _ in 0..5 {
                    let sleep = turns.time_to_turn(now, order);
                    assert!(!sleep.is_zero() && sleep <= hundredths(all * SLOT));
                    now = after(now, sleep);
                    slots.push(now / SLOT);
                    assert!(order.has(now) && order.has(now + 101) && !order.has(now + SLOT));
                }
            }
            slots.sort_unstable();
            let first = slots[0];
            let expected: Vec<u64> = (first..).take(slots.len()).collect();
            assert_eq!(slots, expected, "{all}");
        }
    }

    /// A process that is alone has a turn in each slot. It gives that up when another one comes.
    #[test]
    fn a_process_that_is_alone_does_not_wait_for_a_slot() {
        let (alone, two) = (Order { own: 0, all: 1 }, Order { own: 0, all: 2 });
        for phase in [0, 1, 38, 77, 78, 79, 109] {
            let (mut turns, mut now) = (with_phase(phase), 12_345_678);
            for round in 0..3 {
                let sleep = turns.time_to_turn(now, alone);
                assert!(!sleep.is_zero() && sleep <= hundredths(SLOT));
                now = after(now, sleep);
                assert_eq!(now % SLOT, (phase + 3) % SLOT, "{phase} {round}");
            }
            let last = now / SLOT;
            now = after(now, turns.time_to_turn(now, two));
            assert!(two.has(now) && now / SLOT > last);
            // It has polled in this slot.
            let next = after(now, turns.time_to_turn(now, alone));
            assert_eq!(next / SLOT, now / SLOT + 1, "{phase}");
        }
    }

    #[test]
    fn this_node() {
        let name = format!("{}{}", super::PREFIX, std::process::id());
        let _own = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap());
        let table = std::fs::read_to_string(super::TABLE).unwrap();
        assert!(table.contains(&format!(" @{name}\n")));
        let mut turns = Turns::new();
        assert!(turns.phase.is_some_and(|phase| phase < SLOT));
        // The limit ends it, whosever turn it is.
        turns.await_next(&name, 3600, Duration::from_millis(1));
        assert_eq!(turns.phase, None);
        assert!(Order::of(&name, 1).all <= MOST);
        assert!(uptime() > 0);
        assert_eq!(first_number("12.05 3.00\n"), Some(1205));
        assert_eq!(first_number("12"), None);
    }
}
