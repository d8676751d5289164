//! How much the kernel lets a command and its environment be: `bprm_stack_limits` and
//! `copy_strings` in Linux's `fs/exec.c`.
//!
//! A command that is as long as it may be must not fail because we have made it longer.

use super::process;

/// Always granted: `ARG_MAX`.
const LEAST: usize = 128 << 10;
/// Never more than this: three quarters of `_STK_LIM`.
const MOST: usize = 6 << 20;
/// The name of the program, and the path and the argument of an interpreter that may come
/// before it.
const OF_PROGRAM: usize = 3 * 4096;

/// What one string takes: itself, its null byte and a pointer.
pub(super) fn of_string(length: usize) -> usize {
    length + 1 + size_of::<*const u8>()
}

/// Whether so many bytes can be executed under a limit of the stack. `limits` is asked only
/// if it matters, and the lowest counts.
pub(super) fn is_enough<I: Iterator<Item = u64>>(bytes: usize, limits: impl FnOnce() -> I) -> bool {
    let bytes = bytes.saturating_add(OF_PROGRAM);
    let most = |stack: u64| usize::try_from(stack / 4).unwrap_or(MOST).clamp(LEAST, MOST);
    bytes <= LEAST || limits().all(|stack| bytes <= most(stack))
}

/// The limit of the stack now; none if it is not to be had.
pub(super) fn stack_now() -> Option<u64> {
    process::soft_limit(libc::RLIMIT_STACK)
}

/// What Slurm will set right before the `execve`, from the value of a variable: a number,
/// with a `U` before it where the user asked for it.
pub(super) fn stack_then(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value.strip_prefix(b"U").unwrap_or(value)).ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{LEAST, MOST, OF_PROGRAM, is_enough, of_string, stack_now, stack_then};

    #[test]
    fn a_quarter_of_the_stack_within_bounds() {
        let (mebi, none) = (1 << 20, u64::MAX);
        for (limits, most) in [
            (vec![8 * mebi], 2 << 20),
            (vec![0], LEAST),
            (vec![none], MOST),
            (vec![none, 4 * mebi], 1 << 20),
            (vec![4 * mebi, none], 1 << 20),
        ] {
            let enough = |bytes| is_enough(bytes, || limits.iter().copied());
            assert!(enough(most - OF_PROGRAM), "{limits:?}");
            assert!(!enough(most - OF_PROGRAM + 1), "{limits:?}");
            assert!(!enough(usize::MAX), "{limits:?}");
        }
    }

    #[test]
    fn a_short_one_asks_for_no_limit() {
        fn nobody() -> std::vec::IntoIter<u64> {
            panic!("asked")
        }
        assert!(is_enough(LEAST - OF_PROGRAM, nobody));
    }

    #[test]
    fn what_slurm_says_of_the_limit() {
        assert_eq!(stack_then(b"8388608"), Some(8 << 20));
        assert_eq!(stack_then(b"U8388608"), Some(8 << 20));
        assert_eq!(stack_then(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(stack_then(b"many"), None);
    }

    #[test]
    fn a_string_with_its_null_byte_and_its_pointer() {
        assert_eq!([of_string(0), of_string(2)], [9, 11]);
        assert!(stack_now().is_some());
    }
}
