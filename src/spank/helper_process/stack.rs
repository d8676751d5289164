//! The stack of a helper process.

use std::ffi::c_void;
use std::io;
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

/// Size in bytes: many times what a lookup needs.
const STACK: usize = 256 << 10;
/// Size in bytes of the inaccessible area below, which turns an overflow into SIGSEGV.
const GUARD: usize = 64 << 10;

/// A mapping of `GUARD` and `STACK` bytes.
pub(super) struct Stack(*mut c_void);

/// A mapping that no process runs on, for the next helper process. It is kept until the `execve`:
/// to unmap it would cost a system call, and the kernel unmaps it anyway.
static SPARE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

impl Stack {
    pub(super) fn new() -> io::Result<Self> {
        let spare = SPARE.swap(ptr::null_mut(), AcqRel);
        if spare.is_null() { Self::map() } else { Ok(Self(spare)) }
    }

    fn map() -> io::Result<Self> {
        let (none, kind) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let start = unsafe { libc::mmap(ptr::null_mut(), GUARD + STACK, none, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let (stack, usable) = (Self(start), libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: the range is the upper part of the mapping.
        if unsafe { libc::mprotect(start.wrapping_byte_add(GUARD), STACK, usable) } != 0 {
            let error = io::Error::last_os_error();
            stack.unmap();
            return Err(error);
        }
        Ok(stack)
    }

    /// The initial stack pointer. Stacks grow down.
    pub(super) fn top(&self) -> *mut c_void {
        self.0.wrapping_byte_add(GUARD + STACK)
    }

    /// Keeps the mapping for the next helper process. No process may run on it any more.
    pub(super) fn keep(self) {
        let kept = SPARE.compare_exchange(ptr::null_mut(), self.0, AcqRel, Acquire);
        if kept.is_err() {
            self.unmap();
        }
    }

    pub(super) fn unmap(self) {
        // SAFETY: the mapping was made in `map`, and no process runs on it any more.
        unsafe { libc::munmap(self.0, GUARD + STACK) };
    }
}
