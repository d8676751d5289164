//! Makes the target of a pull a symbolic link to the image: `pull=link`.

use super::copy::Failure;
use super::temporary::{Temporary, not_created};
use sifcache_core::pull::target::Target;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Makes `target` a link to `image`, an absolute path. Returns false, and changes nothing, if the
/// file system of the target has no symbolic links.
///
/// # Errors
/// The link could not be created: see [`Failure`].
pub(crate) fn link(image: &Path, target: &Target) -> Result<bool, Failure> {
    match Temporary::create(target, &|path| symlink(image, path)) {
        Ok((temporary, ())) => temporary.rename(target).map(|()| true).map_err(Failure::Failed),
        Err((_, error)) if has_no_links(&error) => Ok(false),
        Err(error) => Err(Failure::Failed(not_created(&error))),
    }
}

/// Whether the error means that the file system has no symbolic links: symlink(2).
fn has_no_links(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EOPNOTSUPP | libc::ENOSYS))
}
