//! How much memory this process may still ask for.
//!
//! `malloc` is not asked: also a piece that it does not have, it looks for in a way that
//! moves what it has, and a task that has no byte too many is then ended by Slurm.

use super::process::soft_limit;
use std::fs;

/// Whether so many bytes more are within the limits of this process.
pub(super) fn may_take(bytes: u64) -> bool {
    let limits = [libc::RLIMIT_AS, libc::RLIMIT_DATA].map(soft_limit);
    if limits == [Some(libc::RLIM_INFINITY); 2] {
        return true;
    }
    let used = fs::read_to_string("/proc/self/statm").ok().and_then(|text| used(&text, page()?));
    used.is_some_and(|used| is_enough(bytes, limits, used))
}

fn is_enough(bytes: u64, limits: [Option<u64>; 2], used: [u64; 2]) -> bool {
    let mut both = limits.into_iter().zip(used);
    both.all(|(limit, used)| limit.is_some_and(|limit| limit.saturating_sub(used) >= bytes))
}

/// What counts for each of the limits: the first and the sixth number of proc(5),
/// `/proc/pid/statm`, in pages.
fn used(statm: &str, page: u64) -> Option<[u64; 2]> {
    let number =
        |at: usize| statm.split_whitespace().nth(at)?.parse::<u64>().ok()?.checked_mul(page);
    Some([number(0)?, number(5)?])
}

/// The size of a page, in bytes.
fn page() -> Option<u64> {
    // SAFETY: any number of a setting is allowed.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).ok().filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    use super::{is_enough, may_take, page, used};

    const NONE: Option<u64> = Some(libc::RLIM_INFINITY);

    #[test]
    fn the_numbers_of_a_process() {
        let page = page().unwrap();
        assert_eq!(used("10 9 8 7 0 3 0\n", page), Some([10 * page, 3 * page]));
        assert_eq!(used("10 9 8 7 0", page), None);
        assert_eq!(used("", page), None);
        assert_eq!(used(&format!("{} 0 0 0 0 1", u64::MAX), page), None);
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        let [all, data] = used(&statm, page).unwrap();
        assert!(all > data && data > page, "{statm}");
    }

    #[test]
    fn what_is_left_of_each_limit() {
        assert!(is_enough(5, [Some(15), NONE], [10, 10]));
        assert!(!is_enough(6, [Some(15), NONE], [10, 10]));
        assert!(is_enough(5, [NONE, Some(15)], [10, 10]));
        assert!(!is_enough(6, [NONE, Some(15)], [10, 10]));
        // Beyond a limit that came later; and one that is not to be had.
        assert!(!is_enough(1, [Some(9), NONE], [10, 10]));
        assert!(!is_enough(1, [None, NONE], [10, 10]));
        assert!(may_take(1 << 20));
    }
}
