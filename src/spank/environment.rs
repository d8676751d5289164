//! The task's environment, which Slurm will pass to `execve`.
//!
//! `spank_getenv` copies a value from this array (`getenvp(job->env, …)` in every release) into a
//! buffer whose size the caller has to guess. Reading the array directly avoids that copy and has
//! no length limit.

use super::handle::Handle;
use slurm_spank::spank_sys as sys;
use std::ffi::{CStr, CString, c_char};
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
        if let Some(found) = self.found(name) {
            // SAFETY: the pointer is null, or points into a string of Slurm's array, which has not
            // been changed since the search.
            return (!found.is_null()).then(|| unsafe { CStr::from_ptr(found) }.to_bytes());
        }
        // SAFETY: this is Slurm's own array, which ends with a null pointer, as execve requires.
        // The task has no other thread, and callers copy the value before Slurm changes a variable.
        unsafe { value(self.environment(), name) }
    }

    /// Replaces the value of a variable that [`Self::search_variables`] has found. False if it was not
    /// found, or if Slurm's allocator or the memory for the copy is missing.
    ///
    /// `spank_setenv` would have the same effect, but it clears a buffer of 256 KiB for each value, in
    /// every release (`ENV_BUFSIZE` in Slurm's src/common/env.c). This takes longer than everything
    /// else that the plugin does in a task without a launch.
    pub(super) fn replace_value(&self, name: &str, value: &CStr) -> bool {
        let Some(entry) = self.entry(name) else { return false };
        let text = CString::new([name.as_bytes(), b"=", value.to_bytes()].concat());
        let Some(copy) = text.ok().and_then(|text| self.duplicate(&text).ok()) else {
            return false;
        };
        // SAFETY: the entry is in Slurm's own array, in the task's process, which has no other thread.
        // Slurm can free the copy. The old string stays: the task executes its command soon.
        unsafe { entry.write(copy) };
        self.found.replace(name, copy.wrapping_add(name.len() + 1));
        true
    }

    /// The entry of the environment array with this variable, if the search has found it.
    fn entry(&self, name: &str) -> Option<*mut *const c_char> {
        let value = self.found(name).filter(|value| !value.is_null())?;
        // A string begins with the name and `=`.
        let string = value.wrapping_sub(name.len() + 1);
        let array = self.environment();
        // SAFETY: Slurm's own array, which ends with a null pointer, as execve requires.
        let index = unsafe { pointers(array) }.position(|entry| ptr::eq(entry, string))?;
        Some(array.cast_mut().wrapping_add(index))
    }

    /// Where the search has found the value of a variable; null if it is not set. `None` if it was not
    /// searched for.
    fn found(&self, name: &str) -> Option<*const c_char> {
        if self.found.is_outdated() {
            self.search_variables();
        }
        self.found.get(name)
    }

    /// Searches for the variables that most tasks read.
    pub(super) fn search_variables(&self) {
        // SAFETY: as in `value`. Only this handle has Slurm change the array during its hook call,
        // and the search is outdated then.
        unsafe { self.found.search(self.environment()) };
    }
}

#[cfg(test)]
mod tests {
    use super::{Handle, strings, value};
    use crate::job::Job as _;
    use crate::spank::Spank as _;
    use crate::spank::allocator::tests::DUPLICATE;
    use crate::spank::stubs::ENVIRONMENT;
    use std::ffi::{CStr, c_char};
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

    /// The first read after a change repeats the search. Slurm shows no environment here, so nothing is
    /// found.
    #[test]
    fn a_search_is_used_until_the_environment_changes() {
        let values = |handle: &Handle| ["PATH", "LD_PRELOAD", "OTHER"].map(|n| handle.variable(n));
        let change: [fn(&Handle); 3] = [
            |handle| assert!(handle.set_variable("OTHER", b"y").is_err()),
            |handle| assert!(handle.unset_variable("OTHER").is_err()),
            Handle::search_variables,
        ];
        for change in change {
            let handle = searched();
            assert_eq!(values(&handle), [Some(b"/bin".to_vec()), None, None]);
            change(&handle);
            assert_eq!(values(&handle), [None, None, None]);
        }
    }

    /// The strings that replace others.
    const NEW: [&CStr; 2] = [c"PATH=/new", c"LD_PRELOAD=x.so"];

    unsafe extern "C" fn duplicate(text: *const c_char) -> *mut c_char {
        // SAFETY: the only caller, `replace_value`, passes a C string.
        let text = unsafe { CStr::from_ptr(text) };
        let new = NEW.into_iter().find(|new| *new == text).expect("one of these strings");
        new.as_ptr().cast_mut()
    }

    /// The entry of the variable is replaced in Slurm's array, and all values can be read afterwards.
    #[test]
    fn a_value_is_replaced_in_place() {
        DUPLICATE.set(Some(duplicate));
        let old = [c"OTHER=x", c"LD_PRELOAD=old.so", c"PATH=/bin"].map(CStr::as_ptr);
        let mut array: Vec<*mut c_char> = old.iter().map(|string| string.cast_mut()).collect();
        array.push(ptr::null_mut());
        ENVIRONMENT.set(array.as_mut_ptr());
        // SAFETY: `Handle::new` allows null.
        let handle = unsafe { Handle::new(ptr::null_mut(), 0, ptr::null()) };
        // Before the search, and for a variable that is not set, only Slurm can do this.
        assert!(!handle.replace_value("PATH", c"/new"));
        Handle::search_variables(&handle);
        assert!(!handle.replace_value("SIF_CACHE", c"off"));
        let values = || ["PATH", "LD_PRELOAD", "OTHER"].map(|name| handle.variable(name).unwrap());
        assert!(handle.replace_value("PATH", c"/new"));
        assert_eq!(values(), [b"/new".as_slice(), b"old.so", b"x"]);
        assert!(handle.replace_value("LD_PRELOAD", c"x.so"));
        assert_eq!(values(), [b"/new".as_slice(), b"x.so", b"x"]);
        let expected = [old[0], NEW[1].as_ptr(), NEW[0].as_ptr(), ptr::null()];
        ENVIRONMENT.set(ptr::null_mut());
        assert_eq!(array, expected.map(<*const c_char>::cast_mut));
        DUPLICATE.set(None);
        assert!(!handle.replace_value("PATH", c"/other"));
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
