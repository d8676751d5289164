//! The stack of a helper process.

use std::ffi::c_void;
use std::io;
use std::ptr;

/// Size in bytes: many times what a lookup needs.
const STACK: usize = 256 << 10;
/// Size in bytes of the inaccessible area below, which turns an overflow into SIGSEGV.
const GUARD: usize = 64 << 10;

/// A mapping of `GUARD` and `STACK` bytes.
pub(super) struct Stack(*mut c_void);

impl Stack {
    pub(super) fn new() -> io::Result<Self> {
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

    /// Unmaps the stack. A stack that stayed mapped until the `execve` would count towards
    /// RLIMIT_DATA, and the host program might have no memory left.
    pub(super) fn unmap(self) {
        // SAFETY: the mapping was made in `new`, and no process runs on it any more.
        unsafe { libc::munmap(self.0, GUARD + STACK) };
    }
}
