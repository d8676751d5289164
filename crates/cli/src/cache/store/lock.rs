//! Locks that are released when the process that holds them ends: flock(2) on a lock file.
//!
//! NFS, Lustre and GPFS propagate these locks between hosts. On a file system without locks, every
//! lock counts as acquired. Even then, names change only by link(2) and rename(2), so the only
//! consequence is that two commands may do the same work at the same time.

use crate::cache::store;
use crate::error::Failure;
use crate::system::signals;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The interval between attempts to acquire a lock that is held elsewhere.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// A lock that is held until this value is dropped. Dropping it also removes the lock file.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
    real: bool,
}

impl Lock {
    /// Acquires the lock, or returns `None` if another process holds it.
    ///
    /// # Errors
    /// The lock file cannot be opened or locked, except on a file system without locks.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = open(path)?;
            let real = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => true,
                Err(Errno::NOLCK | Errno::NOTSUP | Errno::NOSYS) => false,
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            // The previous holder may have removed the file after it was opened here. Such a file
            // has no name, so other processes would not see the lock.
            if is_same_file(path, &file)? {
                return Ok(Some(Self { path: path.to_owned(), file, real }));
            }
        }
    }

    /// Waits for the lock. Calls `waiting` once if another process holds it.
    ///
    /// # Errors
    /// The lock file cannot be used, or a signal asked the command to end.
    pub(crate) fn wait(path: &Path, waiting: &dyn Fn()) -> Result<Self, Failure> {
        Self::wait_while(path, waiting, &signals::check)
    }

    /// Like [`Self::wait`], but the wait ends as soon as `check` fails.
    ///
    /// # Errors
    /// The lock file cannot be used, or `check` fails.
    pub(crate) fn wait_while(
        path: &Path,
        waiting: &dyn Fn(),
        check: &dyn Fn() -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let mut notified = false;
        loop {
            let taken = Self::take(path).map_err(|error| store::cannot_write(path, error))?;
            if let Some(lock) = taken {
                return Ok(lock);
            }
            if !notified {
                waiting();
                notified = true;
            }
            check()?;
            thread::sleep(RETRY_INTERVAL);
        }
    }

    /// Whether the file system supports locks. If it does not, holding this lock does not exclude
    /// other processes.
    pub(crate) fn is_real(&self) -> bool {
        self.real
    }

    /// The open lock file. A process that inherits its descriptor shares the lock.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Remove the file while the lock is held, so that another process's lock file cannot be
        // removed.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens the file at `path`, or creates it.
///
/// A file server may require write permission for an exclusive lock. For another owner's file that
/// was created with a strict umask, or by an older version as root, read permission is tried.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o644);
    options.custom_flags(plain_file());
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            options.write(false).create(false).open(path).map_err(|_| error)
        }
        file => file.inspect(|file| give(path, file)),
    }
}

/// Gives a lock file of the superuser to the owner of its directory, who could otherwise neither
/// take the lock nor wait for it. Without permission, as on a file server that maps the superuser to
/// another user, the file stays as it is, and so does a file that has another name as well: the owner
/// of the directory could have made a link to any file.
fn give(path: &Path, file: &File) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let owner = path.parent().and_then(|parent| fs::metadata(parent).ok());
    if let (Some(owner), Ok(ours)) = (owner, file.metadata())
        && owner.uid() != ours.uid()
        && ours.nlink() == 1
    {
        let _ = fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

/// Flags for opening a lock file: symbolic links are never followed, and opening does not block
/// if the name belongs to something other than a regular file.
fn plain_file() -> i32 {
    i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default()
}

fn is_same_file(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a process holds the lock, without acquiring it; `None` if that cannot be determined.
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

/// Whether locks work in this directory.
///
/// # Errors
/// A lock file cannot be created there or opened again.
pub(crate) fn work(directory: &Path) -> io::Result<bool> {
    let path = directory.join(format!("probe.{}", std::process::id()));
    let Some(lock) = Lock::take(&path)? else { return Ok(true) };
    // A second open file description must not be able to acquire the lock.
    let second = File::open(&lock.path)?;
    Ok(flock(&second, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK))
}

/// Removes the lock files of dead processes.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        // Acquiring and dropping the lock removes its file; a held lock is left alone, and so is
        // whatever cannot be opened as a lock file.
        drop(Lock::take(&entry?.path()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Lock, is_held, sweep, work};
    use crate::cache::store::directory;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, chown, symlink};

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
    fn the_lock_file_of_a_dead_holder_is_removed() {
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

    /// A duplicated descriptor stands for one that a child process has inherited.
    #[test]
    fn an_inherited_descriptor_shares_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let lock = Lock::take(&path).unwrap().unwrap();
        let copy = lock.file().try_clone().unwrap();
        std::mem::forget(lock);
        assert!(Lock::take(&path).unwrap().is_none());
        drop(copy);
    }

    /// The owner of the directory cannot use root's lock to get a file of root.
    #[test]
    fn a_file_with_another_name_keeps_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let uid = |name: &str| fs::metadata(path(name)).unwrap().uid();
        fs::create_dir(path("lock")).unwrap();
        fs::write(path("file"), "").unwrap();
        if chown(path("lock"), Some(998), Some(998)).is_err() {
            assert!(std::env::var_os("CI").is_none(), "this test needs root");
            eprintln!("skipped: needs root, to make a directory of another user");
            return;
        }
        fs::hard_link(path("file"), path("lock/linked")).unwrap();
        let linked = Lock::take(&path("lock/linked")).unwrap();
        assert_eq!(uid("file"), 0);
        let new = Lock::take(&path("lock/new")).unwrap();
        assert_eq!(uid("lock/new"), 998);
        drop((linked, new));
        symlink(path("file"), path("lock/link")).unwrap();
        directory::give(&path("lock"), &path("lock/link")).unwrap();
        assert_eq!(uid("file"), 0);
    }
}
