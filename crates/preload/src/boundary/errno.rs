//! The error number of the calling thread.

use std::ffi::c_int;

/// Returns the error number.
pub(super) fn get() -> c_int {
    // SAFETY: this function has no preconditions.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: `place` belongs to this thread and is valid during its lifetime.
    unsafe { place.read() }
}

/// Sets the error number.
pub(super) fn set(number: c_int) {
    // SAFETY: this function has no preconditions.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: `place` belongs to this thread and is valid during its lifetime.
    unsafe { place.write(number) };
}
