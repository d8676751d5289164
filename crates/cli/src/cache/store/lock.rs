//! Locks that end with their holder: flock(2) on a file of their own.
//!
//! NFS, Lustre and GPFS carry them from host to host. Where a file system has none, a
//! lock is taken for granted: names still change by link(2) and rename(2) alone, so what
//! is lost is that two commands may do the same work at once.

use crate::cache::store;
use crate::error::Failure;
use crate::system::signals;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often somebody who waits looks again.
const PATIENCE: Duration = Duration::from_millis(100);

/// A lock that is held until this is dropped; its file goes then.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
    real: bool,
}

impl Lock {
    /// Takes the lock, or says that somebody else has it.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o644);
            let file = options.custom_flags(plain_file()).open(path)?;
            let real = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => true,
                Err(Errno::NOLCK | Errno::NOTSUP | Errno::NOSYS) => false,
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            // The holder before us has taken the file away: ours has no name any more.
            if names(path, &file)? {
                return Ok(Some(Self { path: path.to_owned(), file, real }));
            }
        }
    }

    /// Waits for the lock; `waiting` is called once if that takes any time.
    ///
    /// # Errors
    /// The file system's, or that a signal asked the command to end.
    pub(crate) fn wait(path: &Path, waiting: &dyn Fn()) -> Result<Self, Failure> {
        let mut told = false;
        loop {
            let taken = Self::take(path).map_err(|error| store::cannot_write(path, &error))?;
            if let Some(lock) = taken {
                return Ok(lock);
            }
            if !told {
                waiting();
                told = true;
            }
            signals::check()?;
            thread::sleep(PATIENCE);
        }
    }

    /// Whether the file system has locks, so that holding this one says anything.
    pub(crate) fn is_real(&self) -> bool {
        self.real
    }

    /// The open file: who has inherited a copy of it shares the lock.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the lock is held: nobody else can have taken this file's name for theirs.
        let _ = fs::remove_file(&self.path);
    }
}

/// A lock is never a link, and what is no file must not keep who opens it waiting.
fn plain_file() -> i32 {
    i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default()
}

fn names(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether somebody holds the lock, asked without taking it; nothing if nobody can tell.
pub(crate) fn is_held(path: &Path) -> Option<bool> {
    let file = match OpenOptions::new().read(true).custom_flags(plain_file()).open(path) {
        Ok(file) => file,
        Err(error) => return (error.kind() == io::ErrorKind::NotFound).then_some(false),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Some(false),
        Err(Errno::WOULDBLOCK) => Some(true),
        Err(_) => None,
    }
}

/// Whether locks work in this directory at all.
pub(crate) fn work(directory: &Path) -> io::Result<bool> {
    let path = directory.join(format!("probe.{}", std::process::id()));
    let Some(lock) = Lock::take(&path)? else { return Ok(true) };
    // Another open of the same file must not get it.
    let second = File::open(&lock.path)?;
    Ok(flock(&second, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK))
}

/// Takes away the files of locks whose holders are dead.
///
/// # Errors
/// The file system's.
pub(crate) fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        // Taken and dropped: who holds it keeps it.
        drop(Lock::take(&entry?.path())?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Lock, is_held, sweep, work};
    use std::fs;

    #[test]
    fn one_holder_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let lock = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        assert_eq!(is_held(&path), Some(true));
        sweep(directory.path()).unwrap();
        assert!(path.exists());
        drop(lock);
        assert!(!path.exists());
        assert_eq!(is_held(&path), Some(false));
        assert!(Lock::take(&path).unwrap().is_some());
        assert!(work(directory.path()).unwrap());
    }

    #[test]
    fn the_file_of_a_dead_holder_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "").unwrap();
        sweep(directory.path()).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_link_is_no_lock() {
        let directory = tempfile::tempdir().unwrap();
        let [path, elsewhere] = ["a", "elsewhere"].map(|name| directory.path().join(name));
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(Lock::take(&path).is_err());
        assert!(!elsewhere.exists());
        assert_eq!(is_held(&path), None);
    }

    /// As a child process does that was started with the file.
    #[test]
    fn who_has_a_copy_shares_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let lock = Lock::take(&path).unwrap().unwrap();
        let copy = lock.file().try_clone().unwrap();
        std::mem::forget(lock);
        assert!(Lock::take(&path).unwrap().is_none());
        drop(copy);
    }
}
