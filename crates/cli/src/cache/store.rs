//! What the command writes under an image root.
//!
//! ```text
//! ROOT/
//!   determinedai/environments:TAG          an image, under its short name
//!   determinedai/environments@sha256:HEX   the same file, for references with a digest
//!   .sifcache/
//!     tmp/HOST.PID.N/                      something in progress
//!     tmp/HOST.PID.N.lock                  locked as long as who makes it lives
//!     lock/HEX                             locked while the name of that SHA-256 changes
//!     kept/20261224T030000Z.HOST.PID.N/    replaced or removed; until then
//!     known/NAME.json                      what is known of an image beyond the file
//!     architecture                         what the images are for, if an admin says so
//!     served.json                          when images last served a job
//! ```
//!
//! Three rules make a crash at any point harmless. A file gets a name outside of
//! `.sifcache/` only when it is whole, checked and synced. Whatever loses its name there
//! has got one under `kept/` before. And what is in `tmp/` belongs to a lock that the
//! kernel opens when its holder dies, so that the next command can take it away.
//!
//! The name with the digest is a hard link: whatever later happens to the tag, it goes on
//! to name the content that was pulled under that digest.

pub(crate) mod architecture;
pub(crate) mod directory;
mod file;
pub(crate) mod kept;
pub(crate) mod lock;
pub(crate) mod metadata;
pub(crate) mod path_trust;
pub(crate) mod place;
pub(crate) mod scan;
pub(crate) mod scratch;

use crate::error::{Exit, Failure};
use crate::ui::output::plain;
use architecture::Architecture;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sifcache_core::image::Root;
use sifcache_core::settings::{Settings, Untrusted};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The hidden directory of an image root.
pub(crate) const STATE: &str = ".sifcache";
/// What is in it.
pub(crate) const PARTS: [&str; 4] = ["tmp", "lock", "kept", "known"];

/// An image root that may be written.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    untrusted: Untrusted,
    architecture: Architecture,
}

impl Store {
    /// Opens an image root for writing, and takes away what commands that were killed
    /// have left there and what has been kept long enough.
    ///
    /// # Errors
    /// A root that is not there, that jobs would not trust, that strangers could change
    /// meanwhile, or that cannot be written.
    pub(crate) fn open(root: &Path, settings: &Settings) -> Result<Self, Failure> {
        Self::open_for(root, settings, architecture::wanted(root, None)?)
    }

    /// The same for images of this architecture.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn open_for(
        root: &Path,
        settings: &Settings,
        architecture: Architecture,
    ) -> Result<Self, Failure> {
        let untrusted = settings.untrusted;
        let store = Self { root: root.to_owned(), untrusted, architecture };
        if let Some(problem) = Root::enter(root, settings.untrusted).problem() {
            let message = format!("image root {}: {problem}", plain(root));
            return Err(Failure::new(Exit::CONFIG, message));
        }
        for part in PARTS {
            path_trust::refuse(&store.state().join(part))?;
        }
        store.prepare().map_err(|error| cannot_write(&store.state(), &error))?;
        Ok(store)
    }

    fn prepare(&self) -> io::Result<()> {
        for part in PARTS {
            directory::make(&self.root, &self.state().join(part))?;
        }
        rustix::fs::access(self.state().join("tmp"), rustix::fs::Access::WRITE_OK)?;
        scratch::sweep(&self.state().join("tmp"))?;
        lock::sweep(&self.state().join("lock"))?;
        kept::purge(&self.state().join("kept"), Timestamp::now())?;
        Ok(())
    }

    /// The image root itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether images that ordinary users could have written count.
    pub(crate) fn untrusted(&self) -> Untrusted {
        self.untrusted
    }

    /// What its images are for.
    pub(crate) fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Where the file called `name` is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes sure that the name leads nowhere else while it is changed.
    ///
    /// # Errors
    /// Who could lead it there, and what to do.
    pub(crate) fn guard(&self, name: &str) -> Result<(), Failure> {
        path_trust::refuse(self.path(name).parent().unwrap_or(self.root()))
    }

    /// The hidden directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join(STATE)
    }

    /// A directory for something in progress, on the root's own file system.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn scratch(&self) -> Result<scratch::Scratch, Failure> {
        let parent = self.state().join("tmp");
        scratch::Scratch::new(&parent).map_err(|error| cannot_write(&parent, &error))
    }

    /// Holds the right to change what `name` is, against every other command on every
    /// host; `waiting` is called once if somebody else holds it.
    ///
    /// # Errors
    /// The file system's, or that a signal asked the command to end.
    pub(crate) fn lock(&self, name: &str, waiting: &dyn Fn()) -> Result<lock::Lock, Failure> {
        let path = self.state().join("lock").join(hex(&Sha256::digest(name)));
        lock::Lock::wait(&path, waiting)
    }

    /// Bytes that the caller may still write to the root's file system, if it says so.
    pub(crate) fn free(&self) -> Option<u64> {
        free(&self.root)
    }
}

/// Bytes that the caller may still write to a file system, if it says so.
pub(crate) fn free(path: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(path).ok()?;
    let blocks = if rustix::process::geteuid().is_root() { space.f_bfree } else { space.f_bavail };
    blocks.checked_mul(space.f_frsize)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What cannot be written, why, and what to do.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let (exit, advice) = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            (Exit::NO_PERMISSION, "; run this as the owner of the image root")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            (Exit::NO_PERMISSION, "; run this on a host that has it mounted for writing")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (Exit::CANT_CREATE, "; `sifcache gc` can make space")
        }
        _ => (Exit::CANT_CREATE, ""),
    };
    Failure::new(exit, format!("cannot write {}: {error}{advice}", plain(path)))
}

/// Syncs a directory, so that the names in it survive a power cut.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    match fs::File::open(path)?.sync_all() {
        // Some network file systems cannot, and need not.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(test)]
pub(crate) mod tests;
