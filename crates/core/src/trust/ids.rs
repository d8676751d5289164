//! What the id of an owner says in the user namespace of this process.
//!
//! A user namespace maps some ids of the system or all of them. A file whose owner it does not
//! map appears to belong to the overflow id, whoever the owner is: user_namespaces(7). The
//! kernel's own overflow id, 65534, is an ordinary user's, and so never trusted. But a site may
//! have set another, such as 99, which `nobody` once was, or 0; then it would look like a system
//! account. So the overflow id counts as nobody's unless the namespace maps every id.
//!
//! An id that is mapped is taken as it appears. Only the system's root can map ids of others: a
//! user who makes a namespace has nobody's ids in it but her own.

use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;

/// Where the kernel says which id it is, for all namespaces.
const OVERFLOW: &str = "/proc/sys/kernel/overflowuid";
/// What the namespace of this process maps.
const MAP: &str = "/proc/self/uid_map";
/// What [`OVERFLOW`] is unless somebody has changed it.
const USUAL: u32 = 65534;
/// Every id there is: the one after the last stands for no id.
const ALL: u64 = u32::MAX as u64;

/// Asks the kernel which id is the overflow id, once for this process and those that it forks.
/// Otherwise the first walk does, for three system calls more.
pub fn look_ahead() {
    overflow();
}

fn overflow() -> u32 {
    static ID: OnceLock<u32> = OnceLock::new();
    *ID.get_or_init(|| read(OVERFLOW).and_then(|text| text.trim().parse().ok()).unwrap_or(USUAL))
}

/// Whether this id may stand for an owner whom the namespace does not map.
pub(super) fn stands_for_others(uid: u32) -> bool {
    // A namespace can be entered at any time, so the map is read each time.
    stands_for(uid, overflow(), || read(MAP))
}

fn stands_for(uid: u32, overflow: u32, map: impl FnOnce() -> Option<String>) -> bool {
    uid == overflow && !map().is_some_and(|map| maps_all(&map))
}

/// Whether a map has every id. Its lines, at most 340, are `INSIDE OUTSIDE COUNT`, and none
/// overlaps another.
fn maps_all(map: &str) -> bool {
    let count = |line: &str| line.split_whitespace().nth(2)?.parse::<u64>().ok();
    map.lines().map(|line| count(line).unwrap_or_default()).sum::<u64>() >= ALL
}

/// What a file under `/proc` has, which is short.
fn read(path: &str) -> Option<String> {
    let mut bytes = [0; 4096];
    let length = File::open(path).ok()?.read(&mut bytes).ok()?;
    let text = bytes.get(..length)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{maps_all, read, stands_for};

    const COMPLETE: &str = "         0          0 4294967295\n";
    const SOME: &str = "         0          0      65536\n";

    #[test]
    fn which_maps_have_every_id() {
        for all in [COMPLETE, "0 0 1000\n1000 1000 4294966295\n"] {
            assert!(maps_all(all), "{all}");
        }
        for some in [SOME, "0 1001 1\n", "", "0 0\n", "0 0 4294967294\n", "nonsense\n", "0 0 -1\n"]
        {
            assert!(!maps_all(some), "{some}");
        }
    }

    /// Whatever the site has made the overflow id, also root's.
    #[test]
    fn the_overflow_id_is_nobodys_where_a_map_lacks_ids() {
        for overflow in [0, 99, 999, 1000, 65534] {
            for (map, expected) in
                [(Some(SOME), true), (Some(""), true), (None, true), (Some(COMPLETE), false)]
            {
                let map = || map.map(str::to_owned);
                assert_eq!(stands_for(overflow, overflow, map), expected, "{overflow}");
            }
        }
    }

    /// Without reading the map.
    #[test]
    fn other_ids_are_what_they_are() {
        for uid in [0, 1, 98, 100, 1001, 65533, u32::MAX] {
            assert!(!stands_for(uid, 99, || panic!("the map was read")), "{uid}");
        }
    }

    #[test]
    fn the_kernel_says_both() {
        assert!(read(super::OVERFLOW).unwrap().trim().parse::<u32>().is_ok());
        assert!(read(super::MAP).unwrap().split_whitespace().count().is_multiple_of(3));
        assert_eq!(read("/proc/self/nothing"), None);
    }
}
