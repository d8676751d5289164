//! C strings and arrays of them, as callers hand them over.

use std::ffi::{CStr, c_char};
use std::iter;

/// An array of strings with a null pointer at its end: `argv`, or an environment.
pub(super) type Strings = *const *const c_char;

/// The bytes of `text`; none of null.
///
/// # Safety
/// `text` is null, or a C string that lives and stays what it is for `'a`.
pub(super) unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: not null, so the caller vouches for it.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// The pointers of `array` up to the null pointer; none of null, which Linux takes for an
/// empty array.
///
/// # Safety
/// `array` is null, or an array with a null pointer at its end that lives and stays what
/// it is as long as the iterator.
pub(super) unsafe fn pointers(array: Strings) -> impl Iterator<Item = *const c_char> {
    let mut next = array;
    iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: the last one read was not the null pointer at the end.
        let pointer = unsafe { next.read() };
        if pointer.is_null() {
            return None;
        }
        // SAFETY: as above, so there is one more.
        next = unsafe { next.add(1) };
        Some(pointer)
    })
}
