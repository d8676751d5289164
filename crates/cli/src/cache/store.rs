//! The files that this command writes under an image root.
//!
//! ```text
//! ROOT/
//!   determinedai/environments:TAG          an image, under its short name
//!   determinedai/environments@sha256:HEX   the same file, for references with a digest
//!   .sifcache/
//!     tmp/HOST.PID.N/                      scratch directory for work in progress
//!     tmp/HOST.PID.N.lock                  held while the creating process is alive
//!     lock/HEX                             held while a name changes; HEX is the name's SHA-256
//!     kept/20261224T030000Z.HOST.PID.N/    a replaced or removed file, kept until that time
//!     metadata/NAME.json                   the record of an image
//!     architecture                         the architecture of the images, if declared
//!     last_used.json                       when each image last served a job
//!     views.json                           the views that show this root last
//!     trials/HOST.UID.json                 a trial that succeeded (`pull/native/trial/record.rs`)
//!     fill/                                what `sifcache fill` remembers (`demand/state.rs`)
//!     runs/COMMAND.json                    the last run of a command (`cache/runs.rs`)
//!     queue/                               the queue files for waiting jobs (`demand/board.rs`)
//! ```
//!
//! Three rules make a crash at any point harmless:
//!
//! - A file gets a name outside of `.sifcache/` only when it is complete, checked and synced.
//! - Before a file loses its name outside of `.sifcache/`, it gets a name under `kept/`.
//! - Everything in `tmp/` is covered by a lock. The kernel releases the lock when its holder dies,
//!   so that the next command can remove the leftovers.
//!
//! The name with the digest is a hard link: when the tag later moves to another image, the digest
//! name still refers to the content that was pulled under that digest.

pub(crate) mod architecture;
pub(crate) mod directory;
pub(crate) mod existence;
pub(crate) mod file;
pub(crate) mod lock;
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod other_roots;
pub(crate) mod path_trust;
pub(crate) mod place;
pub(crate) mod retention;
pub(crate) mod scan;
pub(crate) mod scratch;

use crate::error::Failure;
use architecture::Architecture;
use jiff::Timestamp;
use other_roots::OtherRoots;
use sha2::{Digest as _, Sha256};
use sifcache_core::image::{Root, State};
use sifcache_core::settings::{Settings, Untrusted};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The hidden directory of an image root, relative to the root.
pub(crate) const STATE: &str = ".sifcache";
/// The subdirectories of the hidden directory.
pub(crate) const PARTS: [&str; 4] = ["tmp", "lock", "kept", "metadata"];
/// The names that earlier versions used, each with its current name.
const OLD_NAMES: [(&str, &str); 2] = [("known", "metadata"), ("served.json", "last_used.json")];

/// An image root that is open for writing.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    untrusted: Untrusted,
    architecture: Architecture,
    others: OtherRoots,
}

impl Store {
    /// Opens an image root for writing. This removes the leftovers of killed commands in the root,
    /// and the replaced or removed files whose retention has ended.
    ///
    /// # Errors
    /// The root does not exist, is not trusted by jobs, cannot be written, or declares an
    /// invalid architecture, or another user could redirect changes to other files (see
    /// [`path_trust`]).
    pub(crate) fn open(root: &Path, settings: &Settings) -> Result<Self, Failure> {
        Self::open_for(root, settings, architecture::wanted(root, None)?)
    }

    /// Like [`Store::open`], but with `architecture` instead of the declared one.
    ///
    /// # Errors
    /// The same as for [`Store::open`], except that the declared architecture is not read.
    pub(crate) fn open_for(
        root: &Path,
        settings: &Settings,
        architecture: Architecture,
    ) -> Result<Self, Failure> {
        let untrusted = settings.untrusted;
        let others = OtherRoots::of(settings, root);
        let store = Self { root: root.to_owned(), untrusted, architecture, others };
        if let Some(problem) = Root::enter(root, settings.untrusted).problem() {
            let problem = with_advice(&problem);
            return Err(Failure::ImageRoot { path: root.to_owned(), problem });
        }
        for part in PARTS.into_iter().chain(OLD_NAMES.map(|(old, _)| old)) {
            path_trust::refuse(&store.state().join(part))?;
        }
        store.prepare().map_err(|error| cannot_write(&store.state(), error))?;
        Ok(store)
    }

    fn prepare(&self) -> io::Result<()> {
        for (old, new) in
            OLD_NAMES.map(|(old, new)| (self.state().join(old), self.state().join(new)))
        {
            // The new name may already exist, because another command has just renamed the old one,
            // or because an earlier version was used again. The old name is then left unchanged.
            if old.symlink_metadata().is_ok() && new.symlink_metadata().is_err() {
                let _ = fs::rename(old, new);
            }
        }
        for part in PARTS {
            directory::make(&self.root, &self.state().join(part))?;
        }
        rustix::fs::access(self.state().join("tmp"), rustix::fs::Access::WRITE_OK)?;
        scratch::sweep(&self.state().join("tmp"))?;
        lock::sweep(&self.state().join("lock"))?;
        retention::purge(&self.state().join("kept"), Timestamp::now())?;
        Ok(())
    }

    /// The path of the image root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether images that ordinary users could have written are accepted.
    pub(crate) fn untrusted(&self) -> Untrusted {
        self.untrusted
    }

    /// The architecture of the images in this root.
    pub(crate) fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The path of the file called `name`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Checks that no other user can redirect the directory of `name` while a command changes it,
    /// and that the directory does not belong to another image root.
    ///
    /// # Errors
    /// Another user can do so, or it is part of another root; the message says which, and the remedy.
    pub(crate) fn guard(&self, name: &str) -> Result<(), Failure> {
        let path = self.path(name);
        let directory = path.parent().unwrap_or(self.root());
        path_trust::refuse(directory)?;
        match self.others.around(directory) {
            Some(other) => {
                let other = other.to_owned();
                Err(Failure::OtherRoot { path, root: self.root.clone(), other })
            }
            None => Ok(()),
        }
    }

    /// The path of the hidden directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join(STATE)
    }

    /// A new scratch directory on the root's own file system.
    ///
    /// # Errors
    /// The directory cannot be created.
    pub(crate) fn scratch(&self) -> Result<scratch::Scratch, Failure> {
        let parent = self.state().join("tmp");
        scratch::Scratch::new(&parent).map_err(|error| cannot_write(&parent, error))
    }

    /// Locks `name` against changes by any other command on any host. Calls `waiting` once if
    /// another process holds the lock.
    ///
    /// # Errors
    /// The lock file cannot be used, or a signal asked the command to end.
    pub(crate) fn lock(&self, name: &str, waiting: &dyn Fn()) -> Result<lock::Lock, Failure> {
        let path = self.state().join("lock").join(hex(&Sha256::digest(name)));
        lock::Lock::wait(&path, waiting)
    }

    /// Like [`Self::lock`], but the wait ends as soon as `check` fails.
    ///
    /// # Errors
    /// The lock file cannot be used, or `check` fails.
    pub(crate) fn lock_while(
        &self,
        name: &str,
        waiting: &dyn Fn(),
        check: &dyn Fn() -> Result<(), Failure>,
    ) -> Result<lock::Lock, Failure> {
        let path = self.state().join("lock").join(hex(&Sha256::digest(name)));
        lock::Lock::wait_while(&path, waiting, check)
    }

    /// The number of free bytes that the caller may use on the root's file system, if that file
    /// system reports it.
    pub(crate) fn free(&self) -> Option<u64> {
        free(&self.root)
    }
}

/// Fails if there is no directory of this image root, for a command that shows what it would change
/// there. [`Store::open`] checks more.
///
/// # Errors
/// The root does not exist.
pub(crate) fn require(root: &Path) -> Result<(), Failure> {
    let failure = |problem| Failure::ImageRoot { path: root.to_owned(), problem };
    absence(root).map_or(Ok(()), |problem| Err(failure(problem)))
}

/// If this image root does not exist or is not a directory: what is wrong, and what to do.
pub(crate) fn absence(root: &Path) -> Option<String> {
    if fs::metadata(root).is_ok_and(|found| !found.is_dir()) {
        return Some("not a directory; give the directory that contains the images".to_owned());
    }
    let problem = Root::enter(root, Untrusted::Accept).problem()?;
    matches!(problem, State::Absent | State::DanglingLink).then(|| with_advice(&problem))
}

/// What is wrong with an image root; if it does not exist, also what to do.
fn with_advice(problem: &State) -> String {
    let advice = match problem {
        State::Absent => "; check its spelling and its mount, or create it with mkdir -p",
        State::DanglingLink => "; create the directory that it leads to, or mount it",
        _ => "",
    };
    format!("{problem}{advice}")
}

/// The number of free bytes that the caller may use on the file system of `path`, if that file
/// system reports it.
pub(crate) fn free(path: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(path).ok()?;
    let blocks = if rustix::process::geteuid().is_root() { space.f_bfree } else { space.f_bavail };
    blocks.checked_mul(space.f_frsize)
}

/// `bytes` as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 0xf];
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(digits).map(digit).collect()
}

/// The failure for a write error.
pub(crate) fn cannot_write(path: &Path, error: io::Error) -> Failure {
    Failure::Store { path: path.to_owned(), error }
}

#[cfg(test)]
pub(crate) mod tests;
