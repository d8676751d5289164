//! Finds the variables that most tasks read, in one pass over the environment.
//!
//! A task's environment often has hundreds of variables. A search of its own for each variable that is
//! read would be most of the instructions of a task that starts no container.

use super::environment::{behind, pointers};
use sifcache_core::cache_mode::ENVIRONMENT;
use sifcache_core::nested::{RUNTIME, SETTINGS};
use std::cell::Cell;
use std::ffi::c_char;
use std::ptr;

/// The name of the variable in which srun passes the names of runtimes (`hooks/broadcast.rs`). Slurm
/// passes on variables that begin with `SLURM`, regardless of `--export`.
pub(crate) const BROADCAST: &str = "SLURM_SIFCACHE_BROADCAST";

/// The names, grouped by their first two bytes. Each further one costs a search when it is read.
const NAMES: [&str; 9] = [
    BROADCAST,
    ENVIRONMENT,
    SETTINGS,
    RUNTIME,
    "SINGULARITY_OCI",
    "APPTAINER_OCI",
    "LD_PRELOAD",
    "PATH",
    "SRUN_DEBUG",
];

/// What follows the first two bytes of each name.
const RESTS: [&[u8]; NAMES.len()] = {
    let [a, b, c, d, e, f, g, h, i] = NAMES;
    [rest(a), rest(b), rest(c), rest(d), rest(e), rest(f), rest(g), rest(h), rest(i)]
};

const fn rest(name: &'static str) -> &'static [u8] {
    match name.as_bytes() {
        [_, _, rest @ ..] => rest,
        _ => &[],
    }
}

/// The place of the first name that begins with these two bytes, and the number of these names. Most
/// variables of a task begin with `SLURM_`, so few of them are compared with more than one name.
#[inline(always)]
const fn group(start: [u8; 2]) -> Option<(usize, usize)> {
    match &start {
        b"SL" => Some((0, 1)),
        b"SI" => Some((1, 4)),
        b"AP" => Some((5, 1)),
        b"LD" => Some((6, 1)),
        b"PA" => Some((7, 1)),
        b"SR" => Some((8, 1)),
        _ => None,
    }
}

/// The state of a search.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    /// Each variable that is read is searched for on its own.
    None,
    /// The values are those of the environment.
    Done,
    /// The environment has changed since the search.
    Outdated,
}

/// Where the values of [`NAMES`] are.
pub(super) struct FoundVariables {
    search: Cell<Search>,
    /// The value of each name; null for a variable that is not set.
    values: [Cell<*const c_char>; NAMES.len()],
}

impl FoundVariables {
    /// No variable has been searched for.
    pub(super) const fn none() -> Self {
        let values = [const { Cell::new(ptr::null()) }; NAMES.len()];
        Self { search: Cell::new(Search::None), values }
    }

    /// Whether the environment has changed since the search, so that it must be repeated.
    pub(super) fn is_outdated(&self) -> bool {
        self.search.get() == Search::Outdated
    }

    /// Records that Slurm has changed the environment. The search is repeated for the next variable that
    /// is read: most tasks read none after the first change.
    pub(super) fn outdate(&self) {
        if self.search.get() == Search::Done {
            self.search.set(Search::Outdated);
        }
    }

    /// Records that a variable has been replaced. `value` is its new value.
    pub(super) fn replace(&self, name: &str, value: *const c_char) {
        if let Some(place) = NAMES.iter().position(|one| *one == name)
            && let Some(old) = self.values.get(place)
        {
            old.set(value);
        }
    }

    /// Searches an array of strings of the form `NAME=VALUE`. The first match counts, as in
    /// getenv(3).
    ///
    /// # Safety
    /// `array` is null, or an array of C strings that ends with a null pointer. The array and its
    /// strings are unchanged until the next search or call of [`Self::outdate`], except for variables
    /// that [`Self::replace`] replaces.
    pub(super) unsafe fn search(&self, array: *const *const c_char) {
        self.values.iter().for_each(|value| value.set(ptr::null()));
        // SAFETY: the caller guarantees such an array.
        for string in unsafe { pointers(array) } {
            // SAFETY: the caller guarantees C strings.
            let Some((start, rest)) = (unsafe { start(string) }) else { continue };
            let Some((first, count)) = group(start) else { continue };
            for (name, value) in RESTS.iter().zip(&self.values).skip(first).take(count) {
                // SAFETY: the rest of a C string is one, too.
                let Some(end) = (unsafe { behind(rest, name) }) else { continue };
                // SAFETY: see above.
                let found = unsafe { behind(end, b"=") };
                if let Some(found) = found.filter(|_| value.get().is_null()) {
                    value.set(found);
                }
            }
        }
        self.search.set(Search::Done);
    }

    /// The value of a variable, or null if it is not set. `None` if it was not searched for.
    pub(super) fn get(&self, name: &str) -> Option<*const c_char> {
        let start = *name.as_bytes().first_chunk().filter(|_| self.search.get() == Search::Done)?;
        let (first, count) = group(start)?;
        let mut names = NAMES.iter().zip(&self.values).skip(first).take(count);
        names.find(|(one, _)| **one == name).map(|(_, value)| value.get())
    }
}

/// The first two bytes of a string, and its rest; `None` if it is shorter.
///
/// # Safety
/// `string` is a C string.
#[inline(always)]
unsafe fn start(string: *const c_char) -> Option<([u8; 2], *const c_char)> {
    // SAFETY: a C string has at least its null byte.
    let [first] = unsafe { string.read() }.to_ne_bytes();
    if first == 0 {
        return None;
    }
    // SAFETY: the first byte is not the null byte, so another one follows.
    let next = unsafe { string.add(1) };
    // SAFETY: see above.
    let [second] = unsafe { next.read() }.to_ne_bytes();
    if second == 0 {
        return None;
    }
    // SAFETY: the second byte is not the null byte, so another one follows.
    Some(([first, second], unsafe { next.add(1) }))
}

#[cfg(test)]
mod tests {
    use super::{FoundVariables, NAMES};
    use std::ffi::{CStr, CString, c_char};
    use std::ptr;

    fn search(found: &FoundVariables, strings: &[&CStr]) {
        let mut array: Vec<*const c_char> = strings.iter().map(|string| string.as_ptr()).collect();
        array.push(ptr::null());
        // SAFETY: the array holds C strings and a null pointer, and they outlive what is found.
        unsafe { found.search(array.as_ptr()) };
    }

    /// `None`: not searched for; `Some(None)`: not set.
    fn get(found: &FoundVariables, name: &str) -> Option<Option<String>> {
        let pointer = found.get(name)?;
        // SAFETY: the pointer is null or points into a string of the test.
        let value = (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) });
        Some(value.map(|value| value.to_str().unwrap().to_owned()))
    }

    fn some(value: &str) -> Option<Option<String>> {
        Some(Some(value.to_owned()))
    }

    #[test]
    fn every_name_is_found() {
        let strings: Vec<CString> =
            NAMES.iter().map(|name| CString::new(format!("{name}=of {name}")).unwrap()).collect();
        let all: Vec<&CStr> = strings.iter().map(CString::as_c_str).collect();
        let found = FoundVariables::none();
        search(&found, &all);
        for name in NAMES {
            assert_eq!(get(&found, name), some(&format!("of {name}")));
        }
        search(&found, &[]);
        assert!(NAMES.iter().all(|name| get(&found, name) == Some(None)));
    }

    #[test]
    fn the_first_exact_name_matches() {
        let found = FoundVariables::none();
        assert_eq!(get(&found, "PATH"), None);
        let strings = [
            c"",
            c"P",
            c"PA",
            c"PATHS=/a",
            c"PAT=/b",
            c"PATH",
            c"SIF_CACHE=",
            c"PATH=/bin:a=b",
            c"PATH=/other",
            c"SIF_CACHE=off",
        ];
        search(&found, &strings);
        assert_eq!(get(&found, "PATH"), some("/bin:a=b"));
        assert_eq!(get(&found, "SIF_CACHE"), some(""));
        assert_eq!(get(&found, "LD_PRELOAD"), Some(None));
        for other in ["PATHS", "PAT", "PATH=", "P", "", "HOME"] {
            assert_eq!(get(&found, other), None, "{other}");
        }
        found.replace("PATH", c"/new".as_ptr());
        found.replace("HOME", c"/root".as_ptr());
        assert_eq!(get(&found, "PATH"), some("/new"));
        assert_eq!((get(&found, "HOME"), get(&found, "SIF_CACHE")), (None, some("")));
        // SAFETY: null is allowed.
        unsafe { found.search(ptr::null()) };
        assert_eq!(get(&found, "PATH"), Some(None));
    }
}
