//! The task's environment, as Slurm will give it to `execve`.
//!
//! `spank_getenv` copies from this array (`getenvp(job->env, …)` in every release) into a
//! buffer whose size one has to guess; to look is one copy less, and knows no longest value.

use super::handle::Handle;
use slurm_spank::spank_sys as sys;
use std::ffi::{CStr, c_char};
use std::{iter, ptr};

/// The strings of an array that ends with a null pointer.
///
/// # Safety
/// `array` is null or such an array of C strings, and both stay what they are for `'a`.
pub(super) unsafe fn strings<'a>(array: *const *const c_char) -> impl Iterator<Item = &'a [u8]> {
    let mut next = array;
    iter::from_fn(move || {
        // SAFETY: not null, and inside the array, which ends with the null pointer that this
        // goes no further than.
        let string = if next.is_null() { ptr::null() } else { unsafe { next.read() } };
        if string.is_null() {
            return None;
        }
        // SAFETY: the null pointer has not come yet, so there is another one behind.
        next = unsafe { next.add(1) };
        // SAFETY: not null, so the caller vouches for a C string that lives for 'a.
        Some(unsafe { CStr::from_ptr(string) }.to_bytes())
    })
}

/// The value of a variable among strings like `NAME=VALUE`: the first one, as getenv(3) has it.
fn value<'a>(mut environment: impl Iterator<Item = &'a [u8]>, name: &str) -> Option<&'a [u8]> {
    environment.find_map(|string| string.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

impl Handle {
    /// The array; null if Slurm has none.
    pub(super) fn environment(&self) -> *const *const c_char {
        let mut environment: *mut *mut c_char = ptr::null_mut();
        let out: *mut *mut *mut c_char = &raw mut environment;
        // SAFETY: S_JOB_ENV writes a pointer to the array, or leaves it.
        let answer = unsafe { sys::spank_get_item(self.spank, sys::spank_item_S_JOB_ENV, out) };
        match answer {
            sys::ESPANK_SUCCESS => environment.cast_const().cast(),
            _ => ptr::null(),
        }
    }

    /// The value of a variable. It goes when the environment is changed.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        // SAFETY: Slurm's own array, which ends with a null pointer, as execve wants it. We
        // are the only thread of the task, and copy the value before Slurm changes any.
        value(unsafe { strings(self.environment()) }, name)
    }
}

#[cfg(test)]
mod tests {
    use super::{strings, value};
    use std::ptr;

    #[test]
    fn strings_up_to_the_null_pointer() {
        let array = [c"ab".as_ptr(), c"".as_ptr(), ptr::null(), c"behind".as_ptr()];
        // SAFETY: an array of C strings with a null pointer in it.
        let all: Vec<_> = unsafe { strings(array.as_ptr()) }.collect();
        assert_eq!(all, [b"ab".as_slice(), b""]);
        // SAFETY: null is allowed.
        assert_eq!(unsafe { strings(ptr::null()) }.count(), 0);
    }

    #[test]
    fn the_first_of_that_name_and_no_other() {
        let environment = ["PATHS=/a", "PAT=/b", "PATH", "PATH=/bin:a=b", "PATH=/other", "EMPTY="];
        let value = |name| value(environment.iter().map(|string| string.as_bytes()), name);
        assert_eq!(value("PATH"), Some(b"/bin:a=b".as_slice()));
        assert_eq!(value("EMPTY"), Some(b"".as_slice()));
        assert_eq!(value("PATHS="), None);
        assert_eq!(value("HOME"), None);
    }
}
