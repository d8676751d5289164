//! Where the runtime unpacks what it pulls: the directory that it would take itself,
//! but in a place there that is swept when a pull was killed.

use crate::cache::store::{cannot_write, path_trust, scratch};
use crate::error::{Exit, Failure};
use crate::ui::output::plain;
use rustix::process::geteuid;
use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::PathBuf;

/// Where the runtimes look for a place, in their order.
const VARIABLES: [&str; 3] = ["APPTAINER_TMPDIR", "SINGULARITY_TMPDIR", "TMPDIR"];

/// A directory of the caller alone; made if it is not there, swept if it is.
///
/// # Errors
/// If it cannot be made, if somebody else has made it, or could put another in its place.
pub(crate) fn directory() -> Result<PathBuf, Failure> {
    let base = VARIABLES.iter().find_map(|name| env::var_os(name).filter(|v| !v.is_empty()));
    let base = base.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let user = geteuid().as_raw();
    let path = base.join(format!("sifcache-{user}"));
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(cannot_write(&path, &error));
        }
        _ => {}
    }
    let metadata = fs::symlink_metadata(&path).map_err(|error| cannot_write(&path, &error))?;
    // In /tmp anybody could have been first.
    if !metadata.is_dir() || metadata.uid() != user || metadata.mode() & 0o077 != 0 {
        let message = format!(
            "{} is not a directory of yours alone: remove it, or set APPTAINER_TMPDIR",
            plain(&path)
        );
        return Err(Failure::new(Exit::CANT_CREATE, message));
    }
    path_trust::refuse(&path)?;
    scratch::sweep(&path).map_err(|error| cannot_write(&path, &error))?;
    Ok(path)
}
