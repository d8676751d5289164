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

    /// A command in memory that ends with it, so that Miri and the address sanitizer see
    /// whoever reads on. What is put into a slot is freed with it.
    struct Command {
        first: Vec<*mut c_char>,
        slots: Box<[*mut c_char]>,
    }

    impl Command {
        fn new(words: &[Option<&str>]) -> Self {
            let string = |word: &str| CString::new(word).unwrap().into_raw();
            let slots = words.iter().map(|word| word.map_or(ptr::null_mut(), string));
            let slots: Box<[_]> = slots.collect();
            Self { first: slots.to_vec(), slots }
        }

        fn read(&self, argc: i32) -> Vec<String> {
            // SAFETY: the array holds C strings made above, and null pointers.
            let strings = unsafe { strings(argc, self.slots.as_ptr().cast()) };
            strings.into_iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect()
        }

        fn replace(&mut self, argc: i32, index: usize, path: &str) -> Result<(), &'static str> {
            // SAFETY: the array is this test's own.
            unsafe { replace(argc, self.slots.as_mut_ptr(), index, Path::new(path)) }
        }
    }

    impl Drop for Command {
        fn drop(&mut self) {
            let new = self.slots.iter().filter(|slot| !self.first.contains(slot));
            for string in self.first.iter().chain(new).filter(|string| !string.is_null()) {
                // SAFETY: every string here came out of `into_raw`, each once.
                drop(unsafe { CString::from_raw(*string) });
            }
        }
    }

    #[test]
    fn reads_no_further_than_it_may() {
        let command = Command::new(&[Some("a"), Some(""), Some("c")]);
        assert_eq!(command.read(3), ["a", "", "c"]);
        assert_eq!(command.read(2), ["a", ""]);
        assert!(command.read(0).is_empty());
        assert!(command.read(-1).is_empty());
        // SAFETY: null is allowed.
        assert!(unsafe { strings(5, ptr::null()) }.is_empty());
    }

    #[test]
    fn a_null_pointer_ends_it() {
        let command = Command::new(&[Some("a"), None, Some("c")]);
        assert_eq!(command.read(3), ["a"]);
        assert!(Command::new(&[None]).read(1).is_empty());
    }

    #[test]
    fn a_count_that_no_command_has_is_garbage() {
        assert!(Command::new(&[Some("a")]).read(i32::MAX).is_empty());
    }

    #[test]
    fn replaces_one_slot() {
        let mut command = Command::new(&[Some("run"), Some("docker://x"), Some("y")]);
        assert!(command.replace(3, 3, "/sif/x").is_err());
        assert!(command.replace(-1, 0, "/sif/x").is_err());
        assert!(command.replace(3, usize::MAX, "/sif/x").is_err());
        assert!(command.replace(3, 1, "/a\0b").is_err());
        assert_eq!(command.read(3), ["run", "docker://x", "y"]);
        assert_eq!(command.replace(3, 1, "/sif/x"), Ok(()));
        assert_eq!(command.read(3), ["run", "/sif/x", "y"]);
        // SAFETY: null is allowed.
        assert!(unsafe { replace(3, ptr::null_mut(), 0, Path::new("/x")) }.is_err());
    }

    /// What was read of a command stays what it is while a slot is replaced.
    #[test]
    fn what_was_read_before_stays() {
        let mut command = Command::new(&[Some("run"), Some("docker://x")]);
        // SAFETY: as in `read`; the strings are freed at the end of the test.
        let before = unsafe { strings(2, command.slots.as_ptr().cast()) };
        assert_eq!(command.replace(2, 1, "/sif/x"), Ok(()));
        assert_eq!(before, [b"run".as_slice(), b"docker://x"]);
    }

    #[test]
    #[ignore = "reads what is not its own; make asan expects to hear of it"]
    fn a_checker_is_on() {
        Command::new(&[Some("a"), Some("b")]).read(3);
    }
}
