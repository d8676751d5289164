//! C strings and arrays of C strings that callers pass.

use std::ffi::{CStr, c_char};
use std::iter;

/// An array of C strings with a null pointer at its end: `argv` or an environment.
pub(super) type Strings = *const *const c_char;

/// The bytes of `text` without its null byte; empty if `text` is null.
///
/// # Safety
/// `text` must be null, or a C string that is valid and unchanged for `'a`.
pub(super) unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: `text` is not null, so the caller guarantees that it is a C string.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// The pointers of `array` before its null pointer. There are none if `array` itself is null, which
/// Linux treats as an empty array.
///
/// # Safety
/// `array` must be null, or an array with a null pointer at its end that is valid and unchanged
/// during the lifetime of the iterator.
pub(super) unsafe fn pointers(array: Strings) -> impl Iterator<Item = *const c_char> {
    let mut next = array;
    iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: no null pointer has been read yet, so `next` is within the array.
        let pointer = unsafe { next.read() };
        if pointer.is_null() {
            return None;
        }
        // SAFETY: `pointer` is not the null pointer at the end, so another element follows.
        next = unsafe { next.add(1) };
        Some(pointer)
    })
}
