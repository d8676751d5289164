//! The directories in which a build from a SIF file unpacks it.
//!
//! The runtime starts `unsquashfs` in a container of its own, and binds the directory of the
//! unpacked files with `-B DIRECTORY:/image` (`squashfs_apptainer.go` in Apptainer 1.4.5). That
//! option treats a `:` or `,` in the path as a separator, so the build fails. A build from a
//! registry starts no container and succeeds.

use crate::command_line::environment::Environment;
use std::env;
use std::os::unix::ffi::OsStrExt as _;

/// The variables that name the directory for temporary files.
const TMPDIR: [&str; 3] = ["TMPDIR", "APPTAINER_TMPDIR", "SINGULARITY_TMPDIR"];

/// Whether all directories that the runtime may use can be bound. `target` is the target of a
/// sandbox, which is unpacked beside it; `tmpdir` is the value of `--tmpdir`.
pub(super) fn allow_unpacking(
    target: Option<&[u8]>,
    tmpdir: Option<&[u8]>,
    environment: &Environment<'_>,
) -> bool {
    // The releases use different directories, so all of them must be suitable.
    tmpdir.is_none_or(can_be_bound)
        && TMPDIR.iter().all(|name| is_suitable(name, environment))
        && target.is_none_or(|target| {
            can_be_bound(parent(target))
                && (target.starts_with(b"/") || is_working_directory_suitable(environment))
        })
}

fn can_be_bound(path: &[u8]) -> bool {
    !path.iter().any(|byte| matches!(byte, b':' | b','))
}

fn is_suitable(name: &str, environment: &Environment<'_>) -> bool {
    environment(name).is_none_or(|path| can_be_bound(&path))
}

/// The part of a path before its last element.
fn parent(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').unwrap_or_default();
    let before = path.get(..end).unwrap_or_default();
    let slash = before.iter().rposition(|byte| *byte == b'/').unwrap_or_default();
    before.get(..slash).unwrap_or_default()
}

/// Go takes the path of the working directory from `PWD`, if that is valid.
fn is_working_directory_suitable(environment: &Environment<'_>) -> bool {
    let path = env::current_dir();
    path.is_ok_and(|path| can_be_bound(path.as_os_str().as_bytes()))
        && is_suitable("PWD", environment)
}

#[cfg(test)]
mod tests {
    use super::{allow_unpacking, parent};

    #[test]
    fn the_part_before_the_last_element() {
        for (path, expected) in [
            ("/a/b", "/a"),
            ("a/b//", "a"),
            ("a", ""),
            ("/a", ""),
            ("", ""),
            ("//", ""),
            ("a/", ""),
        ] {
            assert_eq!(parent(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }

    #[test]
    fn directories_with_separators_of_binds() {
        let allow = |target: Option<&str>, tmpdir: Option<&str>, variable: (&str, &str)| {
            let environment =
                |name: &str| (name == variable.0).then(|| variable.1.as_bytes().to_vec());
            allow_unpacking(target.map(str::as_bytes), tmpdir.map(str::as_bytes), &environment)
        };
        let none = ("", "");
        for target in ["x", "a:b", "/x/a,b", "/x/a:b/", "y/../x", "/"] {
            assert!(allow(Some(target), Some("/tmp"), none), "{target}");
        }
        for target in ["/a:b/x", "a,b/x", "a:b/..", "/a/b:c//x/"] {
            assert!(!allow(Some(target), None, none), "{target}");
        }
        assert!(!allow(None, Some("/a:b"), none));
        for name in ["TMPDIR", "APPTAINER_TMPDIR", "SINGULARITY_TMPDIR"] {
            assert!(
                !allow(None, None, (name, "/a,b")) && allow(None, None, (name, "/a")),
                "{name}"
            );
        }
        let working = ("PWD", "/a:b");
        assert!(allow(None, None, working) && allow(Some("/x"), None, working));
        assert!(!allow(Some("x"), None, working));
    }
}
