//! The meaning of an owner's ID in the user namespace of this process.
//!
//! A user namespace maps some or all IDs of the system. A file whose owner is not mapped appears to
//! belong to the overflow ID: user_namespaces(7). The kernel's default overflow ID, 65534, is in
//! the range of ordinary users, whose files are never trusted. But a site may have set another
//! overflow ID, such as 99 (a former ID of `nobody`) or 0; an unmapped owner would then look like a
//! system account. The overflow ID is therefore trusted only if the namespace maps every ID.
//!
//! A mapped ID is used as it appears. Only the system's root can map the IDs of other users: a
//! namespace that a user creates contains only that user's own ID.

use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;

/// The file with the overflow ID of all namespaces.
const OVERFLOW: &str = "/proc/sys/kernel/overflowuid";
/// The file with the map of the namespace of this process.
const MAP: &str = "/proc/self/uid_map";
/// The kernel's default overflow ID.
const DEFAULT_OVERFLOW: u32 = 65534;
/// The number of IDs. The value after the last ID means "no ID".
const ALL: u64 = u32::MAX as u64;

/// Reads the overflow ID once, for this process and the processes that it forks. Otherwise the
/// first walk reads it, with three additional system calls.
pub fn read_overflow_id() {
    overflow();
}

fn overflow() -> u32 {
    static ID: OnceLock<u32> = OnceLock::new();
    *ID.get_or_init(|| {
        read(OVERFLOW, &mut [0; 16])
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(DEFAULT_OVERFLOW)
    })
}

/// Whether this ID may stand for an owner that the namespace does not map.
pub(super) fn may_be_unmapped(uid: u32) -> bool {
    // A namespace can be entered at any time, so the map is read each time.
    is_unmapped(uid, overflow(), || read(MAP, &mut [0; 4096]))
}

fn is_unmapped(uid: u32, overflow: u32, map: impl FnOnce() -> Option<String>) -> bool {
    uid == overflow && !map().is_some_and(|map| maps_all(&map))
}

/// Whether a map contains every ID. It has at most 340 lines of the form `INSIDE OUTSIDE COUNT`,
/// which do not overlap.
fn maps_all(map: &str) -> bool {
    let count = |line: &str| line.split_whitespace().nth(2)?.parse::<u64>().ok();
    map.lines().map(|line| count(line).unwrap_or_default()).sum::<u64>() >= ALL
}

/// The content of a file under `/proc` that is not longer than `buffer`.
fn read(path: &str, buffer: &mut [u8]) -> Option<String> {
    let length = File::open(path).ok()?.read(buffer).ok()?;
    let text = buffer.get(..length)?;
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{is_unmapped, maps_all, read};

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

    /// The rule holds for any overflow ID that a site may set, including that of root.
    #[test]
    fn the_overflow_id_is_unmapped_if_the_map_lacks_ids() {
        for overflow in [0, 99, 999, 1000, 65534] {
            for (map, expected) in
                [(Some(SOME), true), (Some(""), true), (None, true), (Some(COMPLETE), false)]
            {
                let map = || map.map(str::to_owned);
                assert_eq!(is_unmapped(overflow, overflow, map), expected, "{overflow}");
            }
        }
    }

    /// For all other IDs, the map is not even read.
    #[test]
    fn other_ids_are_mapped() {
        for uid in [0, 1, 98, 100, 1001, 65533, u32::MAX] {
            assert!(!is_unmapped(uid, 99, || panic!("the map was read")), "{uid}");
        }
    }

    #[test]
    fn the_kernel_says_both() {
        assert!(read(super::OVERFLOW, &mut [0; 16]).unwrap().trim().parse::<u32>().is_ok());
        assert!(
            read(super::MAP, &mut [0; 4096]).unwrap().split_whitespace().count().is_multiple_of(3)
        );
        assert_eq!(read("/proc/self/nothing", &mut [0; 16]), None);
    }
}
