//! What of the shim is installed on this node.
//!
//! slurmstepd looks once, before it forks the tasks: what a task pays for something that
//! is no launch is not to hold a call on a file system. This is the node's own directory,
//! never an image root.

use once_cell::sync::OnceCell;
use sifcache_core::nested::{INTERPOSER, SHIM, SHIMS, installed};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;

/// What of the shim can be missing on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    /// The program itself.
    Shim,
    /// The directory for `PATH`.
    Shims,
    /// The library for `LD_PRELOAD`.
    Interposer,
}

/// What was found. Nothing that owns memory: a static is not dropped when the library is
/// unloaded.
#[derive(Clone, Copy)]
enum Status {
    Good,
    NotUsable,
    Failed(Option<i32>),
}

static SHIM_PROGRAM: OnceCell<Status> = OnceCell::new();
static SHIMS_DIRECTORY: OnceCell<Status> = OnceCell::new();
static INTERPOSER_LIBRARY: OnceCell<Status> = OnceCell::new();

/// Whether `part` is there: all that a task pays for.
pub(crate) fn is_there(part: Component) -> bool {
    matches!(look(part).1, Status::Good)
}

/// Why `part` is missing, if it is.
pub(crate) fn missing(part: Component) -> Option<String> {
    let (name, seen) = look(part);
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

    /// Why it is not good, if it is not.
    fn reason(self, path: &str) -> Option<String> {
        match self {
            Self::Good => None,
            Self::NotUsable => Some(format!("{path} is not what users can use")),
            Self::Failed(errno) => {
                let error = errno.map_or(io::ErrorKind::Other.into(), io::Error::from_raw_os_error);
                Some(format!("{path}: {error}"))
            }
        }
    }
}

/// What was found, and of what.
fn look(part: Component) -> (&'static str, Status) {
    match part {
        Component::Shim => once(&SHIM_PROGRAM, SHIM, is_program),
        Component::Shims => once(&SHIMS_DIRECTORY, SHIMS, Metadata::is_dir),
        // To it belongs the shim that it starts.
        Component::Interposer => match once(&INTERPOSER_LIBRARY, INTERPOSER, is_readable) {
            (_, Status::Good) => look(Component::Shim),
            missing => missing,
        },
    }
}

fn once(
    seen: &OnceCell<Status>,
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

    /// Users are neither the owner nor in the group.
    #[test]
    fn what_users_can_use() {
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
        assert_eq!(reason(file), Some(format!("{file} is not what users can use")));
        let nowhere = format!("{parent}/nowhere");
        assert_eq!(
            reason(&nowhere),
            Some(format!("{nowhere}: No such file or directory (os error 2)"))
        );
    }
}
