//! Memory for a scout to run on.

use std::ffi::c_void;
use std::io;
use std::ptr;

/// Much more than a look-up takes, and what nobody may touch below it.
const STACK: usize = 256 << 10;
const GUARD: usize = 64 << 10;

/// A stack of the scout's own.
pub(super) struct Stack(*mut c_void);

impl Stack {
    pub(super) fn new() -> io::Result<Self> {
        let (none, kind) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, wherever there is room.
        let start = unsafe { libc::mmap(ptr::null_mut(), GUARD + STACK, none, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let (stack, usable) = (Self(start), libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: a part of it.
        if unsafe { libc::mprotect(start.wrapping_byte_add(GUARD), STACK, usable) } != 0 {
            let error = io::Error::last_os_error();
            stack.give_back();
            return Err(error);
        }
        Ok(stack)
    }

    /// Stacks grow down.
    pub(super) fn top(&self) -> *mut c_void {
        self.0.wrapping_byte_add(GUARD + STACK)
    }

    pub(super) fn give_back(self) {
        // SAFETY: mapped above, and nobody runs on it.
        unsafe { libc::munmap(self.0, GUARD + STACK) };
    }
}
