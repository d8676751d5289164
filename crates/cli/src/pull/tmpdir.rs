//! The directory in which the runtime unpacks what it pulls. It is a subdirectory of the directory
//! that the runtime would choose itself, so that this command can remove the leftovers of killed
//! pulls from it.

use crate::cache::store::{path_trust, scratch};
use crate::error::Failure;
use rustix::process::geteuid;
use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::PathBuf;

/// The variables from which the runtimes take their temporary directory, in order of precedence.
const VARIABLES: [&str; 3] = ["APPTAINER_TMPDIR", "SINGULARITY_TMPDIR", "TMPDIR"];

/// A directory that only the caller can access. It is created if it does not exist, and leftovers
/// in it are removed.
///
/// # Errors
/// The directory cannot be created or belongs to another user, or another user could replace
/// it.
pub(crate) fn directory() -> Result<PathBuf, Failure> {
    let base = VARIABLES.iter().find_map(|name| env::var_os(name).filter(|v| !v.is_empty()));
    let base = base.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let user = geteuid().as_raw();
    let path = base.join(format!("sifcache-{user}"));
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Failure::output(&path, error));
        }
        _ => {}
    }
    let metadata = fs::symlink_metadata(&path).map_err(|error| Failure::output(&path, error))?;
    // In /tmp, any user could have created it first.
    if !metadata.is_dir() || metadata.uid() != user || metadata.mode() & 0o077 != 0 {
        return Err(Failure::TemporaryDirectory(path));
    }
    path_trust::refuse(&path)?;
    scratch::sweep(&path).map_err(|error| Failure::output(&path, error))?;
    Ok(path)
}
