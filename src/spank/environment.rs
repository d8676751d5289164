//! The task's environment, which Slurm will pass to `execve`.
//!
//! `spank_getenv` copies a value from this array (`getenvp(job->env, …)` in every release) into a
//! buffer whose size the caller has to guess. Reading the array directly avoids that copy and has
//! no length limit.

use super::handle::Handle;
use slurm_spank::spank_sys as sys;
use std::ffi::{CStr, c_char};
use std::{iter, ptr};

/// Returns the pointers in an array that ends with a null pointer, without that one.
///
/// # Safety
/// `array` is null or such an array, which is unchanged while the result is in use.
pub(super) unsafe fn pointers(array: *const *const c_char) -> impl Iterator<Item = *const c_char> {
    let mut next = array;
    iter::from_fn(move || {
        // SAFETY: `next` is not null and points into the array: it never moves past the null
        // pointer at the end.
        let string = if next.is_null() { ptr::null() } else { unsafe { next.read() } };
        if string.is_null() {
            return None;
        }
        // SAFETY: this entry is not the null pointer at the end, so another entry follows.
        next = unsafe { next.add(1) };
        Some(string)
    })
}

/// Returns the strings of an array that ends with a null pointer.
///
/// # Safety
/// `array` is null or such an array of C strings, and the array and its strings are unchanged
/// during `'a`.
pub(super) unsafe fn strings<'a>(array: *const *const c_char) -> impl Iterator<Item = &'a [u8]> {
    // SAFETY: the caller guarantees such an array.
    let pointers = unsafe { pointers(array) };
    // SAFETY: the pointer is not null, so the caller guarantees a C string that is valid for `'a`.
    pointers.map(|string| unsafe { CStr::from_ptr(string) }.to_bytes())
}

/// The value of a variable in an array of strings of the form `NAME=VALUE`. The first match counts,
/// as in getenv(3).
///
/// Most strings differ from the name in one of their first two bytes. Their lengths are therefore not
/// needed: a task reads several variables, and its environment can have hundreds.
///
/// # Safety
/// As for [`strings`].
unsafe fn value<'a>(array: *const *const c_char, name: &str) -> Option<&'a [u8]> {
    // SAFETY: the caller guarantees such an array.
    let mut pointers = unsafe { pointers(array) };
    // SAFETY: the pointer is not null, so the caller guarantees a C string that is valid for `'a`.
    let value = pointers.find_map(|string| unsafe { value_in(string, name.as_bytes()) })?;
    // SAFETY: as above: this is the rest of such a string.
    Some(unsafe { CStr::from_ptr(value) }.to_bytes())
}

/// The value in `string`, if it has the form `NAME=VALUE`.
///
/// # Safety
/// `string` is a C string.
#[inline]
unsafe fn value_in(string: *const c_char, name: &[u8]) -> Option<*const c_char> {
    let (start, rest) = name.split_at_checked(2).unwrap_or((name, &[]));
    // SAFETY: the caller guarantees a C string.
    let next = unsafe { behind(string, start) }?;
    // SAFETY: this is the rest of the same string.
    let next = unsafe { behind(next, rest) }?;
    // SAFETY: as above.
    unsafe { behind(next, b"=") }
}

/// The rest of `string` behind `start`; `None` if it begins differently.
///
/// # Safety
/// `string` is a C string.
#[inline]
pub(super) unsafe fn behind(string: *const c_char, start: &[u8]) -> Option<*const c_char> {
    let mut next = string;
    for expected in start {
        // SAFETY: no byte before this one was the null byte, so the string has this one, too.
        let [byte] = unsafe { next.read() }.to_ne_bytes();
        if byte != *expected || byte == 0 {
            return None;
        }
        // SAFETY: the byte is not the null byte, so another one follows.
        next = unsafe { next.add(1) };
    }
    Some(next)
}

impl Handle {
    /// The environment array; null if Slurm has none.
    pub(super) fn environment(&self) -> *const *const c_char {
        let mut environment: *mut *mut c_char = ptr::null_mut();
        let out: *mut *mut *mut c_char = &raw mut environment;
        // SAFETY: for S_JOB_ENV, Slurm writes a pointer to the array or leaves `environment`
        // unchanged.
        let answer = unsafe { sys::spank_get_item(self.spank, sys::spank_item_S_JOB_ENV, out) };
        match answer {
            sys::ESPANK_SUCCESS => environment.cast_const().cast(),
            _ => ptr::null(),
        }
    }

    /// The value of a variable, valid until the environment is changed.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        if let Some(found) = self.found.get(name) {
            // SAFETY: the pointer is null, or points into a string of Slurm's array, which has not
            // been changed since the search.
            return (!found.is_null()).then(|| unsafe { CStr::from_ptr(found) }.to_bytes());
        }
        // SAFETY: this is Slurm's own array, which ends with a null pointer, as execve requires.
        // The task has no other thread, and callers copy the value before Slurm changes a variable.
        unsafe { value(self.environment(), name) }
    }

    /// Searches for the variables that most tasks read.
    pub(super) fn search_variables(&self) {
        // SAFETY: as in `value`. Only this handle has Slurm change the array during its hook call,
        // and it then forgets the values.
        unsafe { self.found.search(self.environment()) };
    }
}

#[cfg(test)]
mod tests {
    use super::{Handle, strings, value};
    use crate::job::Job as _;
    use crate::spank::Spank as _;
    use std::ffi::CStr;
    use std::ptr;

    #[test]
    fn strings_up_to_the_null_pointer() {
        let array = [c"ab".as_ptr(), c"".as_ptr(), ptr::null(), c"behind".as_ptr()];
        // SAFETY: the array holds C strings and a null pointer.
        let all: Vec<_> = unsafe { strings(array.as_ptr()) }.collect();
        assert_eq!(all, [b"ab".as_slice(), b""]);
        // SAFETY: `strings` allows null.
        assert_eq!(unsafe { strings(ptr::null()) }.count(), 0);
    }

    /// A handle with a task's environment that has been searched, and that Slurm no longer shows.
    fn searched() -> Handle {
        let array = [c"PATH=/bin".as_ptr(), c"OTHER=x".as_ptr(), ptr::null()];
        // SAFETY: `Handle::new` allows null, and the stubs of Slurm refuse it.
        let handle = unsafe { Handle::new(ptr::null_mut(), 0, ptr::null()) };
        // SAFETY: the array holds literals and a null pointer.
        unsafe { handle.found.search(array.as_ptr()) };
        handle
    }

    #[test]
    fn a_search_is_used_until_the_environment_changes() {
        let values = |handle: &Handle| ["PATH", "LD_PRELOAD", "OTHER"].map(|n| handle.variable(n));
        let handle = searched();
        assert_eq!(values(&handle), [Some(b"/bin".to_vec()), None, None]);
        let _ = handle.set_variable("OTHER", b"y");
        assert_eq!(values(&handle), [None, None, None]);
        let handle = searched();
        let _ = handle.unset_variable("OTHER");
        assert_eq!(values(&handle), [None, None, None]);
        // Slurm shows no environment here, so nothing is found.
        let handle = searched();
        Handle::search_variables(&handle);
        assert_eq!(values(&handle), [None, None, None]);
    }

    #[test]
    fn the_first_exact_name_matches() {
        let environment =
            [c"PATHS=/a", c"PAT=/b", c"PATH", c"PATH=/bin:a=b", c"PATH=/other", c"EMPTY="];
        let mut array = environment.map(CStr::as_ptr).to_vec();
        array.push(ptr::null());
        // SAFETY: the array holds C strings and a null pointer.
        let value = |name| unsafe { value(array.as_ptr(), name) };
        assert_eq!(value("PATH"), Some(b"/bin:a=b".as_slice()));
        assert_eq!(value("EMPTY"), Some(b"".as_slice()));
        assert_eq!(value("PATHS="), None);
        assert_eq!(value("HOME"), None);
        assert_eq!(value("PATH\0"), None);
        // SAFETY: null is allowed.
        assert_eq!(unsafe { super::value(ptr::null(), "PATH") }, None);
    }
}
