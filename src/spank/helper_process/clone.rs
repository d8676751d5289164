//! Starts a helper process: clone(2). Builds for a memory checker have `clone_in_thread.rs` instead.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::AtomicI32;

/// Only in builds for a memory checker does a thread start the helper process.
#[derive(Debug)]
pub(super) struct Starter;

impl Starter {
    pub(super) fn wait(&mut self) {}
}

/// Starts a process that shares this process's memory. Returns its number, or -1.
///
/// # Safety
/// `main` may use `argument`, and the kernel `alive`, until the process has exited. It alone uses
/// the stack.
#[inline]
pub(super) unsafe fn clone(
    main: extern "C" fn(*mut c_void) -> c_int,
    stack: *mut c_void,
    flags: c_int,
    argument: *mut c_void,
    alive: *mut AtomicI32,
) -> (c_int, Starter) {
    let unused = ptr::null_mut::<c_void>();
    // SAFETY: the caller fulfils the conditions.
    let pid = unsafe { libc::clone(main, stack, flags, argument, unused, unused, alive) };
    (pid, Starter)
}
