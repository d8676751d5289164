//! When a process may poll: on each node, one poll a second, however many images are waited for.
//!
//! Each process that polls listens on a socket whose name starts with [`PREFIX`]. All users can see
//! these names in `/proc/net/unix`. The processes take turns in the order of the names, one second
//! each, by the uptime of the node, which differs between nodes.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// The start of the socket names.
pub(super) const PREFIX: &str = "sifcache-wait/";

/// The largest number of processes that take turns, so that no user can stop the polls of others
/// with sockets of the same kind. With more processes, there is more than one poll a second. It
/// exceeds the number of processors of a node, because few tasks run on less than one.
pub(super) const MOST: u64 = 300;

/// All sockets, see proc_net(5).
const TABLE: &str = "/proc/net/unix";

/// The flag of a socket that listens, in this table.
const LISTENS: &str = "00010000";

/// The number of turns that a process lets pass because the order has changed meanwhile.
const MISSED: u32 = 3;

/// Sleeps until the turn of the process that listens on `name`, or for `limit`. Its turns are at
/// least `least` seconds apart.
pub(super) fn await_turn(name: &str, least: u64, limit: Duration) {
    let start = Instant::now();
    for _ in 0..MISSED {
        let left = limit.saturating_sub(start.elapsed());
        thread::sleep(wait(name, least).min(left));
        // If more processes listen now, this second may belong to another one.
        let (now, own, all) = state(name);
        if limit <= start.elapsed() || is_turn(now, own, all.max(least)) {
            return;
        }
    }
}

/// The time until the turn.
fn wait(name: &str, least: u64) -> Duration {
    let (now, own, all) = state(name);
    until(now, own, all.max(least))
}

/// The uptime in hundredths of a second, and the [`turn`].
fn state(name: &str) -> (u64, u64, u64) {
    let sockets = fs::read(TABLE).unwrap_or_default();
    let (own, all) = turn(&String::from_utf8_lossy(&sockets), name);
    let uptime = fs::read_to_string("/proc/uptime").ok().and_then(|text| hundredths(&text));
    (uptime.unwrap_or_default(), own, all)
}

/// The index of `name` among all names, and their number.
fn turn(table: &str, name: &str) -> (u64, u64) {
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
    (own % all, all)
}

/// The first number of `/proc/uptime`, see proc(5), in hundredths of a second.
fn hundredths(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_ascii_whitespace().next()?.split_once('.')?;
    let (seconds, fraction): (u64, u64) = (seconds.parse().ok()?, fraction.parse().ok()?);
    seconds.checked_mul(100)?.checked_add(fraction)
}

/// The time from `now`, in hundredths of a second, to the next second whose number modulo `all` is
/// `own`.
fn until(now: u64, own: u64, all: u64) -> Duration {
    let next = now / 100 + 1;
    let turns = (own + all - next % all) % all;
    let start = next.saturating_add(turns).saturating_mul(100);
    Duration::from_millis(start.saturating_sub(now).saturating_mul(10))
}

/// Whether the second at `now` is a turn: its number modulo `all` is `own`.
fn is_turn(now: u64, own: u64, all: u64) -> bool {
    now / 100 % all == own
}

#[cfg(test)]
mod tests {
    use super::{MOST, await_turn, hundredths, is_turn, turn, until, wait};
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
        let turns =
            ["7/a/0", "7/b/0", "8/a/0"].map(|name| turn(TABLE, &format!("sifcache-wait/{name}")));
        assert_eq!(turns, [(0, 3), (1, 3), (2, 3)]);
        assert_eq!(turn("", "sifcache-wait/7/a/0"), (0, 1));
        let line = TABLE.lines().nth(1).unwrap();
        let many: String =
            (0..200).map(|n| line.replace("/b/", &format!("/b{n:03}/")) + "\n").collect();
        assert_eq!(turn(&many, "sifcache-wait/7/b100/0"), (100, 200));
        let crowd = format!("{line}\n").repeat(1000);
        assert_eq!(turn(&crowd, "sifcache-wait/9"), (1000 % MOST, MOST));
    }

    /// Any number of processes have different seconds, and each has one in every round.
    #[test]
    fn no_two_turns_are_in_the_same_second() {
        for all in 1..8 {
            let mut seconds = Vec::new();
            for own in 0..all {
                let mut now = 12_345_678;
                for _ in 0..5 {
                    let wait = until(now, own, all);
                    assert!(!wait.is_zero() && wait <= Duration::from_secs(all));
                    now += u64::try_from(wait.as_millis()).unwrap() / 10;
                    seconds.push(now / 100);
                    assert!(is_turn(now, own, all) && is_turn(now + 99, own, all));
                    assert!(all == 1 || !is_turn(now + 100, own, all));
                    // The process sleeps a little longer than it has asked for.
                    now += 3;
                }
            }
            seconds.sort_unstable();
            let first = seconds[0];
            let expected: Vec<u64> = (first..).take(seconds.len()).collect();
            assert_eq!(seconds, expected, "{all}");
        }
    }

    #[test]
    fn this_node() {
        let name = format!("{}{}", super::PREFIX, std::process::id());
        let _own = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap());
        let table = std::fs::read_to_string(super::TABLE).unwrap();
        assert!(table.contains(&format!(" @{name}\n")));
        // The limit ends it, whosever turn it is.
        await_turn(&name, 3600, Duration::from_millis(1));
        assert!(wait(&name, 1) <= Duration::from_secs(MOST));
        assert!(hundredths(&std::fs::read_to_string("/proc/uptime").unwrap()).unwrap() > 0);
        assert_eq!(hundredths("12.05 3.00\n"), Some(1205));
        assert_eq!(hundredths("12"), None);
    }
}
