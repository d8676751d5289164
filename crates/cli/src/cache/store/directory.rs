//! Directories that every job can read and only their owner can write.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, lchown};
use std::path::Path;

/// The maximum number of attempts to use a directory while other commands remove it.
pub(crate) const TRIES: u32 = 16;

/// Creates the directory `path` below `root` and its missing parents with mode 755, regardless of
/// the umask.
///
/// # Errors
/// A directory cannot be created, for example because a file already has that name.
pub(crate) fn make(root: &Path, path: &Path) -> io::Result<()> {
    for _ in 1..TRIES {
        match make_once(root, path) {
            // Another command found a directory on the path empty and removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && root.is_dir() => {}
            result => return result,
        }
    }
    make_once(root, path)
}

fn make_once(root: &Path, path: &Path) -> io::Result<()> {
    if path == root || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_once(root, parent)?;
    }
    match DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => {
            fs::set_permissions(path, Permissions::from_mode(0o755))?;
            give(root, path)
        }
        // Another command created it first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !exists(path) => {
            Err(io::ErrorKind::NotFound.into())
        }
        Err(error) => Err(error),
    }
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Changes the owner and group of a file to those of the image root if the caller is the superuser,
/// and otherwise does nothing. A link that the owner of the root has put in its place is not followed.
///
/// # Errors
/// The root cannot be examined or the owner cannot be changed.
pub(crate) fn give(root: &Path, path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(root)?;
    lchown(path, Some(owner.uid()), Some(owner.gid()))
}

/// Removes the directories above `path` that have become empty, up to but not including `root`.
pub(crate) fn tidy(root: &Path, path: &Path) {
    for parent in path.ancestors().skip(1).take_while(|parent| *parent != root) {
        if !parent.starts_with(root) || fs::remove_dir(parent).is_err() {
            break;
        }
    }
}
