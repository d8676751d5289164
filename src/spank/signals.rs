//! The handlers of signals that a task inherits from slurmstepd.
//!
//! Before 26.05, slurmstepd resets its handlers in a task only when the task executes its command.
//! These handlers do nothing, so no signal but SIGKILL would end a process that waits in a plugin
//! (observed with 24.11).

use std::mem::MaybeUninit;
use std::ptr;

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
            set(*signal, &libc::sigaction { sa_sigaction: libc::SIG_DFL, ..*action });
        }
        Self { before }
    }
}

impl Drop for DefaultSignals {
    fn drop(&mut self) {
        self.before.iter().for_each(|(signal, action)| set(*signal, action));
    }
}

/// The handler of a signal; `None` if it is ignored or has its default action.
fn handler(signal: libc::c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::zeroed();
    // SAFETY: the call only writes `action`.
    let answer = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all bytes are initialized, and each field accepts zeros.
    let action: libc::sigaction = unsafe { action.assume_init() };
    let has_none = matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN);
    (answer == 0 && !has_none).then_some(action)
}

fn set(signal: libc::c_int, action: &libc::sigaction) {
    // SAFETY: the action is the default one, or one that was set before. The call only reads it.
    unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::{DefaultSignals, handler, set};

    extern "C" fn nothing(_: libc::c_int) {}

    #[test]
    fn handlers_are_replaced_and_restored() {
        let name: extern "C" fn(libc::c_int) = nothing;
        let mut action = handler(libc::SIGSEGV).expect("std has one");
        action.sa_sigaction = name as libc::sighandler_t;
        set(libc::SIGUSR2, &action);
        set(libc::SIGUSR1, &libc::sigaction { sa_sigaction: libc::SIG_IGN, ..action });
        let status = || std::fs::read_to_string("/proc/self/status").unwrap();
        let has = |field: &str, signal: libc::c_int| {
            let text = status();
            let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap() >> (signal - 1) & 1 == 1
        };
        assert!(has("SigCgt:", libc::SIGUSR2) && has("SigIgn:", libc::SIGUSR1));
        let default = DefaultSignals::new();
        assert!(!has("SigCgt:", libc::SIGUSR2) && !has("SigIgn:", libc::SIGUSR2));
        assert!(has("SigIgn:", libc::SIGUSR1));
        drop(default);
        assert!(has("SigCgt:", libc::SIGUSR2) && has("SigIgn:", libc::SIGUSR1));
        set(libc::SIGUSR1, &libc::sigaction { sa_sigaction: libc::SIG_DFL, ..action });
        set(libc::SIGUSR2, &libc::sigaction { sa_sigaction: libc::SIG_DFL, ..action });
    }
}
