//! Whether enough memory is left within the limits of this process.
//!
//! `malloc` cannot be used to find out: a failed attempt changes the layout of the heap, after
//! which Slurm's own calls can fail in a task that is close to its limit.

use super::handle::Handle;
use super::process::soft_limit;
use crate::spank::Spank as _;
use std::fs;

/// Decisions on commands with this many argv entries, and on settings of this many bytes, fit into
/// the plugin's own arena.
const ARENA_WORDS: usize = 1000;
const ARENA_SETTINGS: usize = 512;
/// The maximum number of bytes that a decision needs for each argv entry and for each byte of the
/// settings.
const BYTES_PER_WORD: usize = 64;
const BYTES_PER_SETTING: usize = 512;

/// Slurm allocates 256 KiB temporarily to set a variable, and sets more variables later.
const SLURM_RESERVE: u64 = 1 << 20;

/// Whether there is enough memory left for Slurm's own setenv and prepend calls.
pub(super) fn is_left_for_slurm() -> bool {
    is_left(SLURM_RESERVE)
}

impl Handle {
    /// Whether there is memory for a decision on this command with these settings.
    pub(super) fn has_memory(&self) -> bool {
        let words = self.job_argv().map_or(0, |(argc, _)| usize::try_from(argc).unwrap_or(0));
        let settings: usize = self.arguments().iter().map(|argument| argument.len()).sum();
        let few = words <= ARENA_WORDS && settings <= ARENA_SETTINGS;
        few || is_left((words * BYTES_PER_WORD).max(settings * BYTES_PER_SETTING) as u64)
    }
}

/// Whether `bytes` more bytes are within the limits of this process.
pub(super) fn is_left(bytes: u64) -> bool {
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

/// The bytes that count towards each of the limits: the first and the sixth number of
/// `/proc/pid/statm`, see proc(5), which are in pages.
fn used(statm: &str, page: u64) -> Option<[u64; 2]> {
    let number =
        |at: usize| statm.split_whitespace().nth(at)?.parse::<u64>().ok()?.checked_mul(page);
    Some([number(0)?, number(5)?])
}

/// The size of a page, in bytes.
pub(super) fn page() -> Option<u64> {
    // SAFETY: the call takes an integer, and returns -1 for an unknown one.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).ok().filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    use super::{is_enough, is_left, page, used};

    const NONE: Option<u64> = Some(libc::RLIM_INFINITY);

    #[test]
    fn memory_in_use_is_read_from_statm() {
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
    fn each_limit_is_checked() {
        assert!(is_enough(5, [Some(15), NONE], [10, 10]));
        assert!(!is_enough(6, [Some(15), NONE], [10, 10]));
        assert!(is_enough(5, [NONE, Some(15)], [10, 10]));
        assert!(!is_enough(6, [NONE, Some(15)], [10, 10]));
        // First, the usage is above a limit that was lowered later; then, the kernel does not
        // report a limit.
        assert!(!is_enough(1, [Some(9), NONE], [10, 10]));
        assert!(!is_enough(1, [None, NONE], [10, 10]));
        assert!(is_left(1 << 20));
    }
}
