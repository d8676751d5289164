//! The temporary file of a pull, which has the name that the runtime would use and becomes the
//! target by a rename. Only SIGKILL and a crash leave it behind.

use super::messages::reason;
use sifcache_core::pull::target::Target;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};

/// The number of further names that are tried if a temporary file exists already.
const NAMES: u32 = 100;

/// A temporary file or link, which is removed when this is dropped.
pub(crate) struct Temporary {
    pub(crate) path: PathBuf,
    /// Whether the file has its final name, so that nothing is left to remove.
    is_renamed: bool,
}

impl Temporary {
    /// Calls `make` with a temporary path in the target's directory. If that path exists, tries
    /// another one.
    ///
    /// # Errors
    /// The path, and the error of `make`.
    pub(crate) fn create<T>(
        target: &Target,
        make: &dyn Fn(&Path) -> io::Result<T>,
    ) -> Result<(Self, T), (PathBuf, io::Error)> {
        let mut tries = 0..NAMES;
        loop {
            let number = RandomState::new().hash_one(()) & u64::from(u32::MAX);
            let path = target.beside(&format!("tmp-copy-{number}"));
            match make(&path) {
                Ok(made) => return Ok((Self { path, is_renamed: false }, made)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && tries.next().is_some() => {}
                Err(error) => return Err((path, error)),
            }
        }
    }

    /// Gives the file its final name.
    ///
    /// # Errors
    /// The reason in the words of the runtime.
    pub(crate) fn rename(mut self, target: &Target) -> Result<(), String> {
        // The runtime looks for a directory first, so its error differs from that of rename(2).
        let renamed = match target.is_directory() {
            true => Err(io::Error::from_raw_os_error(libc::EEXIST)),
            false => fs::rename(&self.path, &target.path),
        };
        self.is_renamed = renamed.is_ok();
        renamed.map_err(|error| {
            format!(
                "could not rename temporary file in copy: rename {} {}: {}",
                self.path.display(),
                target.path.display(),
                reason(&error)
            )
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Why the temporary file cannot be created, in the words of the runtime.
pub(crate) fn not_created((path, error): &(PathBuf, io::Error)) -> String {
    let (path, reason) = (path.display(), reason(error));
    format!(
        "could not open temporary file for copy: failed to create temporary file: open {path}: \
         {reason}"
    )
}
