//! The kernel's limit on the size of argv plus environment: `bprm_stack_limits` and
//! `copy_strings` in Linux's `fs/exec.c`.
//!
//! A command close to the limit must not fail because the plugin made it longer.

use super::handle::Handle;
use super::{environment, process};
use crate::job::Job as _;

/// The limit in bytes is never below this: `ARG_MAX`.
const LEAST: usize = 128 << 10;
/// It is never above this: three quarters of `_STK_LIM`.
const MOST: usize = 6 << 20;
/// Reserved for the file name of the program, and for the path and the argument of an interpreter.
const OF_PROGRAM: usize = 3 * 4096;

/// The bytes that one string takes: its text, its null byte and a pointer.
pub(super) fn of_string(length: usize) -> usize {
    length + 1 + size_of::<*const u8>()
}

/// Whether `bytes` fit within the limits that follow from each stack limit. `limits` is called only
/// if the result depends on them.
fn fits<I: Iterator<Item = u64>>(bytes: usize, limits: impl FnOnce() -> I) -> bool {
    let bytes = bytes.saturating_add(OF_PROGRAM);
    let most = |stack: u64| usize::try_from(stack / 4).unwrap_or(MOST).clamp(LEAST, MOST);
    bytes <= LEAST || limits().all(|stack| bytes <= most(stack))
}

/// The current stack limit in bytes, if the kernel reports one.
fn stack_now() -> Option<u64> {
    process::soft_limit(libc::RLIMIT_STACK)
}

/// The stack limit that Slurm sets right before the `execve`, from `SLURM_RLIMIT_STACK`: a number,
/// with a `U` in front where the user requested it.
fn stack_then(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value.strip_prefix(b"U").unwrap_or(value)).ok()?;
    text.parse().ok()
}

impl Handle {
    /// Whether argv and environment still fit if they grow by `bytes`.
    pub(super) fn fits_kernel_limit(&self, bytes: usize) -> bool {
        let limits = || {
            let then = self.variable("SLURM_RLIMIT_STACK");
            stack_now().into_iter().chain(then.as_deref().and_then(stack_then))
        };
        bytes == 0 || fits(self.length().saturating_add(bytes), limits)
    }

    /// The current size of argv and environment, in bytes.
    fn length(&self) -> usize {
        let command = self.command();
        // SAFETY: Slurm's own array, which ends with a null pointer, as execve requires.
        let environment = unsafe { environment::strings(self.environment()) };
        let environment: usize = environment.map(|string| of_string(string.len())).sum();
        environment + command.iter().map(|word| of_string(word.len())).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::{LEAST, MOST, OF_PROGRAM, fits, of_string, stack_now, stack_then};

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
            let enough = |bytes| fits(bytes, || limits.iter().copied());
            assert!(enough(most - OF_PROGRAM), "{limits:?}");
            assert!(!enough(most - OF_PROGRAM + 1), "{limits:?}");
            assert!(!enough(usize::MAX), "{limits:?}");
        }
    }

    #[test]
    fn a_short_command_needs_no_limit() {
        fn uncalled() -> std::vec::IntoIter<u64> {
            panic!("called")
        }
        assert!(fits(LEAST - OF_PROGRAM, uncalled));
    }

    #[test]
    fn parses_the_limit_that_slurm_sets() {
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
