//! The kernel's limit on the size of argv plus environment: `bprm_stack_limits` and
//! `copy_strings` in Linux's `fs/exec.c`.
//!
//! A command close to the limit must not fail because the plugin made it longer.

use super::handle::Handle;
use super::{environment, process};
use crate::job::Job as _;

/// The limit in bytes is never below this: `ARG_MAX`.
const MIN_LIMIT: usize = 128 << 10;
/// It is never above this: three quarters of `_STK_LIM`.
const MAX_LIMIT: usize = 6 << 20;
/// Reserved for the file name of the program, and for the path and the argument of an interpreter.
const PROGRAM_RESERVE: usize = 3 * 4096;

/// The bytes that one string takes: its text, its null byte and a pointer.
pub(super) fn string_size(length: usize) -> usize {
    length + 1 + size_of::<*const u8>()
}

/// Whether `bytes` fit within the limits that follow from each stack limit. `limits` is called only
/// if the result depends on them.
fn fits<I: Iterator<Item = u64>>(bytes: usize, limits: impl FnOnce() -> I) -> bool {
    let bytes = bytes.saturating_add(PROGRAM_RESERVE);
    let limit =
        |stack: u64| usize::try_from(stack / 4).unwrap_or(MAX_LIMIT).clamp(MIN_LIMIT, MAX_LIMIT);
    bytes <= MIN_LIMIT || limits().all(|stack| bytes <= limit(stack))
}

/// The current stack limit in bytes, if the kernel reports one.
fn stack_now() -> Option<u64> {
    process::soft_limit(libc::RLIMIT_STACK)
}

/// The stack limit that Slurm sets right before the `execve`, from `SLURM_RLIMIT_STACK`: a number,
/// with a `U` in front if the user requested this limit.
fn stack_at_exec(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value.strip_prefix(b"U").unwrap_or(value)).ok()?;
    text.parse().ok()
}

impl Handle {
    /// Whether argv and environment still fit if they grow by `bytes`.
    pub(super) fn fits_kernel_limit(&self, bytes: usize) -> bool {
        let limits = || {
            let then = self.variable("SLURM_RLIMIT_STACK");
            stack_now().into_iter().chain(then.as_deref().and_then(stack_at_exec))
        };
        bytes == 0 || fits(self.length().saturating_add(bytes), limits)
    }

    /// The current size of argv and environment, in bytes.
    fn length(&self) -> usize {
        let command = self.command();
        // SAFETY: Slurm's own array, which ends with a null pointer, as execve requires.
        let environment = unsafe { environment::strings(self.environment()) };
        let environment: usize = environment.map(|string| string_size(string.len())).sum();
        environment + command.iter().map(|word| string_size(word.len())).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        MAX_LIMIT, MIN_LIMIT, PROGRAM_RESERVE, fits, stack_at_exec, stack_now, string_size,
    };

    #[test]
    fn a_quarter_of_the_stack_within_bounds() {
        let (mebi, none) = (1 << 20, u64::MAX);
        for (limits, limit) in [
            (vec![8 * mebi], 2 << 20),
            (vec![0], MIN_LIMIT),
            (vec![none], MAX_LIMIT),
            (vec![none, 4 * mebi], 1 << 20),
            (vec![4 * mebi, none], 1 << 20),
        ] {
            let fit = |bytes| fits(bytes, || limits.iter().copied());
            assert!(fit(limit - PROGRAM_RESERVE), "{limits:?}");
            assert!(!fit(limit - PROGRAM_RESERVE + 1), "{limits:?}");
            assert!(!fit(usize::MAX), "{limits:?}");
        }
    }

    #[test]
    fn a_short_command_needs_no_limit() {
        fn uncalled() -> std::vec::IntoIter<u64> {
            panic!("called")
        }
        assert!(fits(MIN_LIMIT - PROGRAM_RESERVE, uncalled));
    }

    #[test]
    fn parses_the_limit_that_slurm_sets() {
        assert_eq!(stack_at_exec(b"8388608"), Some(8 << 20));
        assert_eq!(stack_at_exec(b"U8388608"), Some(8 << 20));
        assert_eq!(stack_at_exec(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(stack_at_exec(b"many"), None);
    }

    #[test]
    fn a_string_with_its_null_byte_and_its_pointer() {
        assert_eq!([string_size(0), string_size(2)], [9, 11]);
        assert!(stack_now().is_some());
    }
}
