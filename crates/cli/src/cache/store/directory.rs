//! Directories that every job may look into and that nobody else may write.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

/// Makes `path` below `root` with what is missing above it, whatever the umask is.
///
/// # Errors
/// The file system's; also if something that is no directory is in the way.
pub(crate) fn make(root: &Path, path: &Path) -> io::Result<()> {
    if path == root || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make(root, parent)?;
    }
    match DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => {
            fs::set_permissions(path, Permissions::from_mode(0o755))?;
            give(root, path)
        }
        // Another command was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// What root makes belongs to whom the image root belongs to.
///
/// # Errors
/// The file system's.
pub(crate) fn give(root: &Path, path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(root)?;
    chown(path, Some(owner.uid()), Some(owner.gid()))
}

/// Takes away the directories above `path` that are empty now, up to `root`.
pub(crate) fn tidy(root: &Path, path: &Path) {
    for parent in path.ancestors().skip(1).take_while(|parent| *parent != root) {
        if !parent.starts_with(root) || fs::remove_dir(parent).is_err() {
            break;
        }
    }
}
