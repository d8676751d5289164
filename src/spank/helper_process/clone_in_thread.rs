//! Starts a helper process for a memory checker: clone(2) in a thread of its own.
//!
//! The address sanitizer keeps stack frames and freed memory for each thread, and a helper process
//! uses those of the thread that started it, like all its thread-locals. If both called functions at
//! the same time, the sanitizer would report false errors. So this thread does nothing else, and
//! `CLONE_VFORK` suspends it until the helper process has exited.

use rustix::io::retry_on_intr;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::ffi::{c_int, c_void};
use std::io::{self, Write};
use std::process;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread::{self, JoinHandle};

/// The thread that started a helper process.
#[derive(Debug)]
pub(super) struct Starter(Option<JoinHandle<()>>);

/// The arguments of clone(2).
struct Call {
    main: extern "C" fn(*mut c_void) -> c_int,
    stack: *mut c_void,
    flags: c_int,
    argument: *mut c_void,
    alive: *mut AtomicI32,
}

// SAFETY: the thread only passes the pointers on.
unsafe impl Send for Call {}

/// Does the same as the function in `clone.rs`.
///
/// # Safety
/// The conditions are those of that function.
pub(super) unsafe fn clone(
    main: extern "C" fn(*mut c_void) -> c_int,
    stack: *mut c_void,
    flags: c_int,
    argument: *mut c_void,
    alive: *mut AtomicI32,
) -> (c_int, Starter) {
    let flags = flags | libc::CLONE_VFORK | libc::CLONE_PARENT_SETTID;
    let call = Call { main, stack, flags, argument, alive };
    let pid = Arc::new(AtomicI32::new(0));
    let into = Arc::clone(&pid);
    let start = move || {
        // SAFETY: the caller fulfils the conditions.
        match Pid::from_raw(unsafe { call.run(&into) }.max(0)) {
            Some(child) => end_after_error(child),
            None => into.store(-1, Release),
        }
    };
    let Ok(thread) = thread::Builder::new().spawn(start) else { return (-1, Starter(None)) };
    // The kernel writes the number before the helper process runs.
    while pid.load(Acquire) == 0 {
        thread::yield_now();
    }
    (pid.load(Acquire), Starter(Some(thread)))
}

impl Call {
    /// Returns when the helper process has exited.
    unsafe fn run(&self, pid: &AtomicI32) -> c_int {
        let Self { main, stack, flags, argument, alive } = *self;
        let (pid, unused) = (pid.as_ptr(), ptr::null_mut::<c_void>());
        // SAFETY: the caller fulfils the conditions.
        unsafe { libc::clone(main, stack, flags, argument, pid, unused, alive) }
    }
}

/// Ends the program if the memory checker has found an error in the helper process, which gives it
/// an exit status. The memory checker is then in a state in which the next error would wait forever.
fn end_after_error(child: Pid) {
    let all = WaitIdOptions::from_bits_retain(libc::__WALL.cast_unsigned());
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | all;
    let ended = retry_on_intr(|| waitid(WaitId::Pid(child), options)).ok().flatten();
    let status = ended.and_then(|ended| ended.exit_status()).unwrap_or_default();
    if status != 0 {
        // The report is lost, because the helper process had closed stderr.
        let text = "an error in a helper process: ASAN_OPTIONS=log_path=FILE keeps its report\n";
        let _ = io::stderr().write_all(text.as_bytes());
        process::abort();
    }
}

impl Starter {
    /// Waits for the end of the helper process and of the thread. Call this before the exit status
    /// is collected.
    pub(super) fn wait(&mut self) {
        let _ = self.0.take().map(JoinHandle::join);
    }
}
