//! The error number of the calling thread.

use std::ffi::c_int;

/// What it is.
pub(super) fn get() -> c_int {
    // SAFETY: always allowed.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the place is this thread's own, and lives as long as it.
    unsafe { place.read() }
}

/// Makes it `number`.
pub(super) fn set(number: c_int) {
    // SAFETY: always allowed.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: the place is this thread's own, and lives as long as it.
    unsafe { place.write(number) };
}
