//! A command as a C array of pointers to strings, with a null pointer at its end.
#![allow(unsafe_code, reason = "the plugin's code under test takes such an array")]

use crate::argv;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};
use std::ptr;

pub(crate) struct ArgvArray {
    /// The original strings.
    strings: Vec<CString>,
    pointers: RefCell<Vec<*mut c_char>>,
}

impl ArgvArray {
    pub(crate) fn new(words: &[&[u8]]) -> Self {
        let string = |word: &&[u8]| CString::new(*word).expect("no null byte in a word");
        let strings: Vec<CString> = words.iter().map(string).collect();
        let pointers = strings.iter().map(|string| string.as_ptr().cast_mut());
        let pointers = RefCell::new(pointers.chain([ptr::null_mut()]).collect());
        Self { strings, pointers }
    }

    fn count(&self) -> i32 {
        i32::try_from(self.strings.len()).expect("fewer words")
    }

    pub(crate) fn read(&self) -> Vec<&[u8]> {
        let pointers = self.pointers.borrow();
        // SAFETY: the array has `count` pointers to C strings. The original ones belong to `self`;
        // replacements are only freed by `take_changes`, which needs exclusive access.
        unsafe { argv::strings(self.count(), pointers.as_ptr().cast()) }
    }

    pub(crate) fn replace(&self, index: usize, path: &Path) -> Result<(), &'static str> {
        let mut pointers = self.pointers.borrow_mut();
        let word = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| "a null byte")?;
        let word = word.into_raw();
        // SAFETY: the array belongs to `self` and is borrowed exclusively.
        let done = unsafe { argv::replace(self.count(), pointers.as_mut_ptr(), index, word) };
        if done.is_err() {
            path_of(word);
        }
        done
    }

    /// Undoes all replacements and returns them, each with its index and the new path. Also checks
    /// that the original strings are unchanged.
    pub(crate) fn take_changes(&mut self, words: &[Vec<u8>]) -> Vec<(usize, PathBuf)> {
        let pointers = self.pointers.get_mut();
        assert!(pointers.last().is_some_and(|last| last.is_null()));
        let mut changes = Vec::new();
        for (index, string) in self.strings.iter().enumerate() {
            assert_eq!(string.as_bytes(), words[index]);
            let first = string.as_ptr().cast_mut();
            let now = std::mem::replace(&mut pointers[index], first);
            if now != first {
                changes.push((index, path_of(now)));
            }
        }
        changes
    }
}

/// Returns the path in a string that `replace` has created, and frees the string.
fn path_of(now: *mut c_char) -> PathBuf {
    // SAFETY: `replace` only stores C strings.
    let text = unsafe { CStr::from_ptr(now) }.to_str().expect("paths here are text").to_owned();
    // SAFETY: the pointer comes from `into_raw` and is not stored anywhere else any more.
    drop(unsafe { CString::from_raw(now) });
    text.into()
}
