//! C arrays of strings: plugin arguments and the command of a step.

use std::ffi::{CStr, c_char};
use std::path::Path;

/// As many strings as an array can have before it is taken for garbage. The kernel
/// allows 128 KiB a string and 6 MiB in all, so a command has fewer.
const MOST: usize = 3_000_000;

/// The strings of `argv`, up to `argc` or the first null pointer.
///
/// # Safety
/// `argv` is null, or points to `argc` pointers that stay what they are for `'a`, each
/// null or a C string that lives as long.
pub(super) unsafe fn strings<'a>(argc: i32, argv: *const *const c_char) -> Vec<&'a [u8]> {
    let count = usize::try_from(argc).unwrap_or(0);
    if argv.is_null() || count > MOST {
        return Vec::new();
    }
    // SAFETY: not null, and the caller vouches for `argc` pointers.
    let pointers = unsafe { std::slice::from_raw_parts(argv, count) };
    pointers
        .iter()
        .take_while(|pointer| !pointer.is_null())
        // SAFETY: not null, so the caller vouches for a C string that lives for 'a.
        .map(|pointer| unsafe { CStr::from_ptr(*pointer) }.to_bytes())
        .collect()
}

/// Makes slot `index` of `argv` point to `path`, and returns whether it did.
///
/// The copy is never freed: `execve` reads it, and frees it with the whole process.
/// The string that was there stays where it is, because it is not ours.
///
/// # Safety
/// `argv` is null, or points to `argc` pointers that may be written and that nobody
/// else reads or writes meanwhile.
pub(super) unsafe fn replace(
    argc: i32,
    argv: *mut *mut c_char,
    index: usize,
    path: &Path,
) -> Result<(), &'static str> {
    let count = usize::try_from(argc).unwrap_or(0);
    if argv.is_null() || index >= count {
        return Err("the command has no such argument");
    }
    let bytes = path.as_os_str().as_encoded_bytes();
    let copy = std::ffi::CString::new(bytes).map_err(|_| "the path has a null byte")?;
    // SAFETY: `index` is below `argc`, so the result is inside the caller's array.
    let slot = unsafe { argv.add(index) };
    // SAFETY: the caller vouches that the slot may be written and nobody else uses it.
    unsafe { slot.write(copy.into_raw()) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{replace, strings};
    use std::ffi::{CString, c_char};
    use std::path::Path;
    use std::ptr;

    fn array(words: &[&str]) -> Vec<*mut c_char> {
        let word = |word: &&str| CString::new(*word).unwrap().into_raw();
        words.iter().map(word).chain([ptr::null_mut()]).collect()
    }

    fn read(argc: i32, array: &[*mut c_char]) -> Vec<String> {
        // SAFETY: the array holds C strings made above and a null pointer at its end.
        let strings = unsafe { strings(argc, array.as_ptr().cast()) };
        strings.into_iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect()
    }

    #[test]
    fn reads_no_further_than_it_may() {
        let words = array(&["a", "", "c"]);
        assert_eq!(read(3, &words), ["a", "", "c"]);
        assert_eq!(read(2, &words), ["a", ""]);
        assert_eq!(read(4, &words), ["a", "", "c"]);
        assert!(read(0, &words).is_empty());
        assert!(read(-1, &words).is_empty());
        // SAFETY: null is allowed.
        assert!(unsafe { strings(5, ptr::null()) }.is_empty());
    }

    #[test]
    fn replaces_one_slot() {
        let mut words = array(&["run", "docker://x", "y"]);
        let mut to = |argc, index| {
            // SAFETY: the array is this test's own.
            unsafe { replace(argc, words.as_mut_ptr(), index, Path::new("/sif/x")) }
        };
        assert!(to(3, 3).is_err());
        assert!(to(-1, 0).is_err());
        assert!(to(3, usize::MAX).is_err());
        assert_eq!(to(3, 1), Ok(()));
        assert_eq!(read(3, &words), ["run", "/sif/x", "y"]);
        // SAFETY: null is allowed.
        assert!(unsafe { replace(3, ptr::null_mut(), 0, Path::new("/x")) }.is_err());
        // SAFETY: the array is this test's own.
        let with_null = unsafe { replace(3, words.as_mut_ptr(), 1, Path::new("/a\0b")) };
        assert!(with_null.is_err());
        assert_eq!(read(3, &words), ["run", "/sif/x", "y"]);
    }
}
