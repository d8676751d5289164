//! Signals that arrive while a file is written.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;

/// Signals that a fault of this process raises, and those whose default action is not to end a
/// process. They are not deferred.
const NOT_DEFERRED: [c_int; 17] = [
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGCHLD,
    libc::SIGCONT,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGKILL,
    libc::SIGSEGV,
    libc::SIGSTOP,
    libc::SIGSYS,
    libc::SIGTRAP,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGURG,
    libc::SIGWINCH,
    libc::SIGXFSZ,
];

/// The highest signal number of Linux on the supported architectures.
const HIGHEST: c_int = 64;

/// Defers the signals that would end this process, until this value is dropped. Meanwhile, a write
/// beyond the limit on the size of files fails instead of ending the process with SIGXFSZ.
pub(crate) struct Deferred {
    signals: Vec<c_int>,
    before: libc::sigset_t,
    file_size: libc::sighandler_t,
}

impl Deferred {
    /// Defers all signals that would end this process. Signals that are ignored or blocked already
    /// would not.
    pub(crate) fn new() -> Self {
        let mut before = empty();
        // SAFETY: without a new set, the call only writes the old one.
        unsafe { libc::sigprocmask(libc::SIG_BLOCK, ptr::null(), &raw mut before) };
        let ends = |signal: &c_int| !contains(&before, *signal) && has_default_action(*signal);
        let candidates = (1..=HIGHEST).filter(|signal| !NOT_DEFERRED.contains(signal));
        let signals: Vec<c_int> = candidates.filter(ends).collect();
        let mut set = empty();
        for signal in &signals {
            // SAFETY: `set` is an initialized set of signals.
            unsafe { libc::sigaddset(&raw mut set, *signal) };
        }
        // SAFETY: both pointers are valid or null.
        unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) };
        // SAFETY: the call takes a signal number and a valid disposition.
        let file_size = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        Self { signals, before, file_size }
    }

    /// Whether one of the deferred signals has arrived.
    pub(crate) fn has_arrived(&self) -> bool {
        let mut pending = empty();
        // SAFETY: the call only writes the set.
        unsafe { libc::sigpending(&raw mut pending) };
        self.signals.iter().any(|signal| contains(&pending, *signal))
    }
}

/// Delivers the signals that have arrived, which usually ends the process.
impl Drop for Deferred {
    fn drop(&mut self) {
        // SAFETY: the call takes a signal number and the disposition from before.
        unsafe { libc::signal(libc::SIGXFSZ, self.file_size) };
        // SAFETY: both pointers are valid or null.
        unsafe {
            libc::sigprocmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut());
        }
    }
}

fn empty() -> libc::sigset_t {
    let mut set = MaybeUninit::zeroed();
    // SAFETY: the call initializes the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the call above has initialized it.
    unsafe { set.assume_init() }
}

fn contains(set: &libc::sigset_t, signal: c_int) -> bool {
    // SAFETY: `set` is an initialized set of signals.
    unsafe { libc::sigismember(set, signal) == 1 }
}

fn has_default_action(signal: c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action, the call only writes the old one.
    let status = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all bytes of the structure are zero or written by the call.
    let action = unsafe { action.assume_init() };
    status == 0 && action.sa_sigaction == libc::SIG_DFL
}
