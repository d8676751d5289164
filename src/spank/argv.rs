//! C arrays of strings: plugin arguments and the command of a step.

use std::ffi::{CStr, c_char};

/// As many strings as an array can have before it is taken for garbage. The kernel
/// allows 128 KiB a string and 6 MiB in all, so a command has fewer.
const MOST: usize = 3_000_000;

/// The strings of `argv`, up to `argc` or the first null pointer.
///
/// # Safety
/// `argv` is null, or points to `argc` pointers, or to fewer that end with a null pointer: Slurm
/// 21.08 and 22.05 put a shorter array in the place of the command of a container and keep the
/// count. They stay what they are for `'a`, each null or a C string that lives as long.
pub(super) unsafe fn strings<'a>(argc: i32, argv: *const *const c_char) -> Vec<&'a [u8]> {
    let count = usize::try_from(argc).unwrap_or(0);
    if argv.is_null() || count > MOST {
        return Vec::new();
    }
    (0..count)
        // SAFETY: below `argc`, and no null pointer has come yet.
        .map(|index| unsafe { argv.wrapping_add(index).read() })
        .take_while(|pointer| !pointer.is_null())
        // SAFETY: not null, so the caller vouches for a C string that lives for 'a.
        .map(|pointer| unsafe { CStr::from_ptr(pointer) }.to_bytes())
        .collect()
}

/// Makes entry `index` of `argv` point to `word`, which belongs to whoever owns the array from
/// then on.
///
/// The string that was there stays where it is: decisions borrow it, and a task that executes
/// its command soon has no use for the memory.
///
/// # Safety
/// `argv` is null, or points to `argc` pointers that may be written and that nobody
/// else reads or writes meanwhile.
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
    // SAFETY: `index` is below `argc`, so the result is inside the caller's array.
    let entry = unsafe { argv.add(index) };
    // SAFETY: the caller vouches that the entry may be written and nobody else uses it.
    unsafe { entry.write(word) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{replace, strings};
    use std::ffi::{CString, c_char};
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
            let word = CString::new(path).unwrap().into_raw();
            // SAFETY: the array is this test's own.
            let done = unsafe { replace(argc, self.slots.as_mut_ptr(), index, word) };
            if done.is_err() {
                // SAFETY: from `into_raw` above, and nobody has taken it.
                drop(unsafe { CString::from_raw(word) });
            }
            done
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

    /// What Slurm 22.05 leaves of a long command in a container.
    #[test]
    fn an_array_that_is_shorter_than_the_count_ends_with_a_null_pointer() {
        let command = Command::new(&[Some("/bin/sh"), Some("-c"), Some("exit 1"), None]);
        assert_eq!(command.read(9), ["/bin/sh", "-c", "exit 1"]);
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
        assert_eq!(command.read(3), ["run", "docker://x", "y"]);
        assert_eq!(command.replace(3, 1, "/sif/x"), Ok(()));
        assert_eq!(command.read(3), ["run", "/sif/x", "y"]);
        // SAFETY: null is allowed.
        assert!(unsafe { replace(3, ptr::null_mut(), 0, ptr::null_mut()) }.is_err());
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
