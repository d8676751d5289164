//! The search for a program in `PATH`, by the rules of glibc's exec functions.

use crate::entry::Entry;

/// The result of checking one path in the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// The path is a program that can be executed.
    Program,
    /// The path is not such a program, and glibc continues with the next entry.
    Other,
    /// The check fails with an error that would end glibc's search.
    Error,
}

/// Stores in `entry` the path of the first program `name` in the directories of `path`. `None` if
/// there is no such program, or if it is uncertain which one glibc would find.
///
/// `moved` is true if the search may happen in a working directory other than that of the calling
/// process.
pub(crate) fn find(
    path: &[u8],
    name: &[u8],
    moved: bool,
    entry: &mut Entry,
    mut check: impl FnMut(&Entry) -> Status,
) -> Option<()> {
    for directory in path.split(|byte| *byte == b':') {
        if moved && !directory.starts_with(b"/") {
            return None;
        }
        // An empty entry stands for the working directory. With `.`, the path contains a slash, so
        // the shim does not search `PATH` for it again.
        let directory = if directory.is_empty() { b".".as_slice() } else { directory };
        entry.set_path(&[directory, b"/", name])?;
        match check(entry) {
            Status::Program => return Some(()),
            Status::Other => {}
            Status::Error => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Status, find};
    use crate::entry::Entry;

    /// Searches in a file system that contains `programs`, and in which every check of a path in
    /// `/broken` fails.
    fn found(path: &str, moved: bool, programs: &[&str]) -> Option<String> {
        let mut entry = Entry::new();
        let check = |entry: &Entry| match std::str::from_utf8(entry.path()).unwrap() {
            path if programs.contains(&path) => Status::Program,
            path if path.starts_with("/broken/") => Status::Error,
            _ => Status::Other,
        };
        find(path.as_bytes(), b"x", moved, &mut entry, check)?;
        Some(String::from_utf8(entry.path().to_vec()).unwrap())
    }

    #[test]
    fn the_first_program_is_found() {
        let programs = ["/a/x", "/b/x", "./x", "c/x", "/b//x"];
        for (path, wanted) in [
            ("/a:/b", Some("/a/x")),
            ("/none:/b:/a", Some("/b/x")),
            ("/b/", Some("/b//x")),
            ("", Some("./x")),
            (":/a", Some("./x")),
            ("/none:", Some("./x")),
            ("/none::/a", Some("./x")),
            ("c", Some("c/x")),
            ("/none:/none2", None),
            ("/broken:/a", None),
            ("/a:/broken", Some("/a/x")),
        ] {
            assert_eq!(found(path, false, &programs).as_deref(), wanted, "{path}");
        }
    }

    #[test]
    fn a_relative_entry_ends_the_search_in_another_directory() {
        let programs = ["/a/x", "./x", "c/x"];
        assert_eq!(found("/none:/a:c", true, &programs).as_deref(), Some("/a/x"));
        assert_eq!(found("c:/a", true, &programs), None);
        assert_eq!(found("/none::/a", true, &programs), None);
        assert_eq!(found("", true, &programs), None);
    }

    #[test]
    fn an_entry_that_does_not_fit_ends_the_search() {
        let path = format!("/{}:/a", "y".repeat(5000));
        assert_eq!(found(&path, false, &["/a/x"]), None);
        assert_eq!(found(&format!("/a:{path}"), false, &["/a/x"]).as_deref(), Some("/a/x"));
    }
}
