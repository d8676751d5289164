//! C arrays of strings: plugin arguments and the command of a step.

use std::ffi::{CStr, c_char};

/// A larger count is considered invalid. The kernel allows 128 KiB per string and 6 MiB in total,
/// so no command has more strings.
const MAX_COUNT: usize = 3_000_000;

/// Returns the strings of `argv`, up to `argc` or the first null pointer.
///
/// # Safety
/// `argv` is null, or points to `argc` pointers, or to fewer pointers that end with a null pointer:
/// Slurm 21.08 and 22.05 replace the argv array of a container's command by a shorter one and keep
/// the count. The pointers are unchanged during `'a`, and each is null or points to a C string that
/// is valid for `'a`.
pub(super) unsafe fn strings<'a>(argc: i32, argv: *const *const c_char) -> Vec<&'a [u8]> {
    let count = usize::try_from(argc).unwrap_or(0);
    if argv.is_null() || count > MAX_COUNT {
        return Vec::new();
    }
    (0..count)
        // SAFETY: `index` is below `argc`, and no earlier pointer was null.
        .map(|index| unsafe { argv.wrapping_add(index).read() })
        .take_while(|pointer| !pointer.is_null())
        // SAFETY: the pointer is not null, so the caller guarantees a C string that is valid for
        // `'a`.
        .map(|pointer| unsafe { CStr::from_ptr(pointer) }.to_bytes())
        .collect()
}

/// Makes entry `index` of `argv` point to `word`, which belongs to the owner of the array from then
/// on.
///
/// The old string is not freed: decisions borrow it, and the task executes its command soon.
///
/// # Errors
/// `argv` has no entry `index`.
///
/// # Safety
/// `argv` is null, or points to `argc` writable pointers that no other code reads or writes during
/// the call.
pub(super) unsafe fn replace(
    argc: i32,
    argv: *mut *mut c_char,
    index: usize,
    word: *mut c_char,
) -> Result<(), &'static str> {
    let count = usize::try_from(argc).unwrap_or(0);
    if argv.is_null() || index >= count {
        return Err("the command has no such argument");
    }
    // SAFETY: `index` is below `argc`, so the entry is inside the caller's array.
    let entry = unsafe { argv.add(index) };
    // SAFETY: the caller guarantees that the entry is writable and that no other code uses it.
    unsafe { entry.write(word) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{replace, strings};
    use std::ffi::{CString, c_char};
    use std::ptr;

    /// A command whose memory ends with its last entry, so that Miri and the address sanitizer
    /// detect reads beyond it. It also owns the strings that are put into its entries.
    struct Command {
        first: Vec<*mut c_char>,
        entries: Box<[*mut c_char]>,
    }

    impl Command {
        fn new(words: &[Option<&str>]) -> Self {
            let string = |word: &str| CString::new(word).unwrap().into_raw();
            let entries = words.iter().map(|word| word.map_or(ptr::null_mut(), string));
            let entries: Box<[_]> = entries.collect();
            Self { first: entries.to_vec(), entries }
        }

        fn read(&self, argc: i32) -> Vec<String> {
            // SAFETY: the entries are C strings made above or null pointers.
            let strings = unsafe { strings(argc, self.entries.as_ptr().cast()) };
            strings.into_iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect()
        }

        fn replace(&mut self, argc: i32, index: usize, path: &str) -> Result<(), &'static str> {
            let word = CString::new(path).unwrap().into_raw();
            // SAFETY: this test owns the array.
            let done = unsafe { replace(argc, self.entries.as_mut_ptr(), index, word) };
            if done.is_err() {
                // SAFETY: `word` comes from `into_raw` above and was not put into the array.
                drop(unsafe { CString::from_raw(word) });
            }
            done
        }
    }

    impl Drop for Command {
        fn drop(&mut self) {
            let new = self.entries.iter().filter(|entry| !self.first.contains(entry));
            for string in self.first.iter().chain(new).filter(|string| !string.is_null()) {
                // SAFETY: every string here comes from `into_raw`, and each is freed once.
                drop(unsafe { CString::from_raw(*string) });
            }
        }
    }

    #[test]
    fn reads_at_most_argc_entries() {
        let command = Command::new(&[Some("a"), Some(""), Some("c")]);
        assert_eq!(command.read(3), ["a", "", "c"]);
        assert_eq!(command.read(2), ["a", ""]);
        assert!(command.read(0).is_empty());
        assert!(command.read(-1).is_empty());
        // SAFETY: `strings` allows null.
        assert!(unsafe { strings(5, ptr::null()) }.is_empty());
    }

    #[test]
    fn a_null_pointer_ends_the_array() {
        let command = Command::new(&[Some("a"), None, Some("c")]);
        assert_eq!(command.read(3), ["a"]);
        assert!(Command::new(&[None]).read(1).is_empty());
    }

    /// For a long command in a container, Slurm 22.05 leaves an array of this kind.
    #[test]
    fn an_array_that_is_shorter_than_the_count_ends_with_a_null_pointer() {
        let command = Command::new(&[Some("/bin/sh"), Some("-c"), Some("exit 1"), None]);
        assert_eq!(command.read(9), ["/bin/sh", "-c", "exit 1"]);
    }

    #[test]
    fn an_impossible_count_yields_no_strings() {
        assert!(Command::new(&[Some("a")]).read(i32::MAX).is_empty());
    }

    #[test]
    fn replaces_one_entry() {
        let mut command = Command::new(&[Some("run"), Some("docker://x"), Some("y")]);
        assert!(command.replace(3, 3, "/sif/x").is_err());
        assert!(command.replace(-1, 0, "/sif/x").is_err());
        assert!(command.replace(3, usize::MAX, "/sif/x").is_err());
        assert_eq!(command.read(3), ["run", "docker://x", "y"]);
        assert_eq!(command.replace(3, 1, "/sif/x"), Ok(()));
        assert_eq!(command.read(3), ["run", "/sif/x", "y"]);
        // SAFETY: `replace` allows null.
        assert!(unsafe { replace(3, ptr::null_mut(), 0, ptr::null_mut()) }.is_err());
    }

    /// Strings that were read before a replacement stay valid.
    #[test]
    fn strings_read_before_a_replacement_stay_valid() {
        let mut command = Command::new(&[Some("run"), Some("docker://x")]);
        // SAFETY: as in `read`. The strings are freed at the end of the test.
        let before = unsafe { strings(2, command.entries.as_ptr().cast()) };
        assert_eq!(command.replace(2, 1, "/sif/x"), Ok(()));
        assert_eq!(before, [b"run".as_slice(), b"docker://x"]);
    }

    #[test]
    #[ignore = "reads out of bounds; make asan expects the checker to report it"]
    fn the_memory_checker_is_active() {
        Command::new(&[Some("a"), Some("b")]).read(3);
    }
}
