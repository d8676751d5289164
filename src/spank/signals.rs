//! The actions of signals that a task inherits from slurmstepd.
//!
//! Before 26.05, slurmstepd resets its handlers in a task only when the task executes its command.
//! These handlers do nothing, so no signal but SIGKILL would end a process that waits in a plugin
//! (observed with 24.11).

use std::{mem, ptr};

/// The signals that end a process by default, and for which slurmstepd has handlers.
const ENDING: [libc::c_int; 7] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGTERM,
];

/// Resets handled signals to their default action, so that they end this process as they would end
/// the command. Drop restores the handlers. An ignored signal stays ignored, because the command
/// inherits that.
pub(crate) struct DefaultSignals {
    before: Vec<(libc::c_int, libc::sigaction)>,
}

impl DefaultSignals {
    pub(crate) fn new() -> Self {
        let handled = ENDING.into_iter().filter_map(|signal| Some((signal, handler(signal)?)));
        let before: Vec<_> = handled.collect();
        for (signal, action) in &before {
            let default = libc::sigaction { sa_sigaction: libc::SIG_DFL, ..*action };
            exchange(*signal, Some(&default));
        }
        Self { before }
    }
}

impl Drop for DefaultSignals {
    fn drop(&mut self) {
        for (signal, action) in &self.before {
            exchange(*signal, Some(action));
        }
    }
}

/// Runs `work` while a signal is ignored.
pub(super) fn ignoring<T>(signal: libc::c_int, work: impl FnOnce() -> T) -> T {
    let ignored = libc::sigaction { sa_sigaction: libc::SIG_IGN, ..empty() };
    let before = exchange(signal, Some(&ignored));
    let result = work();
    exchange(signal, before.as_ref());
    result
}

/// The handler of a signal; `None` if it is ignored or has its default action.
fn handler(signal: libc::c_int) -> Option<libc::sigaction> {
    let action = exchange(signal, None)?;
    let has_none = matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN);
    (!has_none).then_some(action)
}

/// Returns the action of a signal, after which the signal has the `new` action, if there is one: to
/// ignore it, the default action, or one that it had before.
fn exchange(signal: libc::c_int, new: Option<&libc::sigaction>) -> Option<libc::sigaction> {
    let mut before = empty();
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `new` is null or one of these actions, which the call only reads. It only writes
    // `before`.
    let answer = unsafe { libc::sigaction(signal, new, &raw mut before) };
    (answer == 0).then_some(before)
}

/// An action without flags, and with an empty mask.
fn empty() -> libc::sigaction {
    // SAFETY: each field accepts zeros.
    unsafe { mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::{DefaultSignals, empty, exchange, handler, ignoring};

    extern "C" fn nothing(_: libc::c_int) {}

    /// Whether a signal is in a mask of this process: proc(5).
    fn has(field: &str, signal: libc::c_int) -> bool {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
    }

    fn is_ignored(signal: libc::c_int) -> bool {
        has("SigIgn:", signal)
    }

    fn is_handled(signal: libc::c_int) -> bool {
        has("SigCgt:", signal)
    }

    fn with_handler() -> libc::sigaction {
        let name: extern "C" fn(libc::c_int) = nothing;
        libc::sigaction { sa_sigaction: name as libc::sighandler_t, ..empty() }
    }

    #[test]
    fn handlers_are_replaced_and_restored() {
        exchange(libc::SIGUSR2, Some(&with_handler()));
        let ignored = libc::sigaction { sa_sigaction: libc::SIG_IGN, ..empty() };
        exchange(libc::SIGUSR1, Some(&ignored));
        assert!(is_handled(libc::SIGUSR2) && is_ignored(libc::SIGUSR1));
        let default = DefaultSignals::new();
        assert!(!is_handled(libc::SIGUSR2) && !is_ignored(libc::SIGUSR2));
        assert!(is_ignored(libc::SIGUSR1));
        drop(default);
        assert!(is_handled(libc::SIGUSR2) && is_ignored(libc::SIGUSR1));
        exchange(libc::SIGUSR1, Some(&empty()));
        exchange(libc::SIGUSR2, Some(&empty()));
    }

    /// With its handler and its flags.
    #[test]
    fn a_signal_is_ignored_meanwhile() {
        let before = libc::sigaction { sa_flags: libc::SA_NODEFER, ..with_handler() };
        exchange(libc::SIGURG, Some(&before));
        assert!(!is_ignored(libc::SIGURG));
        assert!(ignoring(libc::SIGURG, || is_ignored(libc::SIGURG)));
        let after = handler(libc::SIGURG).unwrap();
        assert_eq!(after.sa_sigaction, before.sa_sigaction);
        assert_eq!(after.sa_flags & libc::SA_NODEFER, libc::SA_NODEFER);
        exchange(libc::SIGURG, Some(&empty()));
    }
}
