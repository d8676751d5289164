//! Checks which components of the shim are installed on this node.
//!
//! slurmstepd checks once, before it forks the tasks, so that a task that starts no container makes
//! no file system call. The files are in a local directory of the node, never in an image root.

use sifcache_core::nested::{INTERPOSER, SHIM, SHIMS, installed};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;

/// A component of the shim that can be missing on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    /// The program itself.
    Shim,
    /// The directory of shims for `PATH`.
    Shims,
    /// The library for `LD_PRELOAD`.
    Interposer,
}

/// The result of a check. It must not own memory: a static is not dropped when the library is
/// unloaded.
#[derive(Clone, Copy)]
enum Status {
    Good,
    NotUsable,
    Failed(Option<i32>),
}

static SHIM_PROGRAM: OnceLock<Status> = OnceLock::new();
static SHIMS_DIRECTORY: OnceLock<Status> = OnceLock::new();
static INTERPOSER_LIBRARY: OnceLock<Status> = OnceLock::new();

/// Whether `part` can be used. This is all that most tasks need; [`missing`] also formats the
/// reason.
pub(crate) fn is_installed(part: Component) -> bool {
    matches!(status_of(part).1, Status::Good)
}

/// Why `part` cannot be used; `None` if it can.
pub(crate) fn missing(part: Component) -> Option<String> {
    let (name, seen) = status_of(part);
    // Only a reason needs the path.
    if matches!(seen, Status::Good) {
        return None;
    }
    seen.reason(&installed(name))
}

impl Status {
    fn at(path: &str, good: fn(&Metadata) -> bool) -> Self {
        match fs::metadata(path) {
            Ok(metadata) if good(&metadata) => Self::Good,
            Ok(_) => Self::NotUsable,
            Err(error) => Self::Failed(error.raw_os_error()),
        }
    }

    /// Why this status is not `Good`; `None` if it is.
    fn reason(self, path: &str) -> Option<String> {
        match self {
            Self::Good => None,
            Self::NotUsable => {
                Some(format!("{path} has the wrong file type or is closed to ordinary users"))
            }
            Self::Failed(errno) => {
                let error = errno.map_or(io::ErrorKind::Other.into(), io::Error::from_raw_os_error);
                Some(format!("{path}: {error}"))
            }
        }
    }
}

/// The name and the status of `part`, or those of the shim if `part` is the interposer and is good.
fn status_of(part: Component) -> (&'static str, Status) {
    match part {
        Component::Shim => once(&SHIM_PROGRAM, SHIM, is_program),
        Component::Shims => once(&SHIMS_DIRECTORY, SHIMS, Metadata::is_dir),
        // The interposer starts the shim, so it also needs the shim.
        Component::Interposer => match once(&INTERPOSER_LIBRARY, INTERPOSER, is_readable) {
            (_, Status::Good) => status_of(Component::Shim),
            missing => missing,
        },
    }
}

fn once(
    seen: &OnceLock<Status>,
    name: &'static str,
    good: fn(&Metadata) -> bool,
) -> (&'static str, Status) {
    (name, *seen.get_or_init(|| Status::at(&installed(name), good)))
}

fn is_program(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o001 != 0
}

fn is_readable(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o004 != 0
}

#[cfg(test)]
mod tests {
    use super::{Metadata, Status, is_program, is_readable};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    /// Ordinary users are neither the owner nor in the group.
    #[test]
    fn the_mode_for_others_decides() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let [file, parent] = [&file, directory.path()].map(|path| path.to_str().unwrap());
        for (mode, program, readable) in
            [(0o755, true, true), (0o774, false, true), (0o751, true, false), (0o770, false, false)]
        {
            for path in [file, parent] {
                fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            }
            let seen = |good, path| matches!(Status::at(path, good), Status::Good);
            assert_eq!((seen(is_program, file), seen(is_readable, file)), (program, readable));
            assert!(!seen(is_program, parent) && !seen(is_readable, parent));
        }
        assert_eq!(Status::at(parent, Metadata::is_dir).reason(parent), None);
        let reason = |path: &str| Status::at(path, Metadata::is_dir).reason(path);
        assert_eq!(
            reason(file),
            Some(format!("{file} has the wrong file type or is closed to ordinary users"))
        );
        let absent = format!("{parent}/nowhere");
        assert_eq!(
            reason(&absent),
            Some(format!("{absent}: No such file or directory (os error 2)"))
        );
    }
}
