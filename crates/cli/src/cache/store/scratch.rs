//! Scratch directories for work in progress. The process that creates one also removes it; if that
//! process is killed, the next command removes it.

use super::directory;
use super::lock::{self, Lock};
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The extension of a scratch directory's lock file.
const LOCK: &str = "lock";
/// The age at which a scratch directory counts as abandoned if the file system does not support
/// locks. No pull takes that long.
const ABANDONED: Duration = Duration::from_secs(7 * 86_400);

/// A private directory that is removed when this value is dropped.
///
/// Its lock is acquired before the directory is created and released after the directory is
/// removed. A directory whose lock is free is therefore not in use.
#[derive(Debug)]
pub(crate) struct Scratch {
    directory: PathBuf,
    lock: Lock,
}

impl Scratch {
    /// Creates a scratch directory in `parent`.
    ///
    /// # Errors
    /// The lock file or the directory cannot be created.
    pub(crate) fn new(parent: &Path) -> io::Result<Self> {
        loop {
            if let Some(scratch) = Self::called(parent, &unique())? {
                return Ok(scratch);
            }
        }
    }

    /// Creates a scratch directory called `name` in `parent`, or returns `None` if there is one
    /// already.
    ///
    /// # Errors
    /// The lock file or the directory cannot be created.
    pub(crate) fn called(parent: &Path, name: &str) -> io::Result<Option<Self>> {
        let directory = parent.join(name);
        let Some(lock) = Lock::take(&lock_of(&directory))? else { return Ok(None) };
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => {
                // Otherwise the owner of the image root could not remove the leftovers of a
                // superuser's command. Where this is not permitted, nothing is lost.
                let _ = directory::give(parent, &directory);
                Ok(Some(Self { directory, lock }))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The path of the file called `name` in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The path of the directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The open lock file, to be passed to processes that write here.
    pub(crate) fn lock(&self) -> &File {
        self.lock.file()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

/// A name that no other process on this host or any other host uses.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let host = rustix::system::uname().nodename().to_string_lossy().replace('/', "_");
    format!("{host}.{}.{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Removes the leftovers of dead processes in `parent`.
///
/// # Errors
/// `parent` cannot be read.
pub(crate) fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let directory = place_of(entry?.path());
        // One entry that cannot be locked does not protect the others.
        if let Ok(Some(lock)) = Lock::take(&lock_of(&directory))
            && (lock.is_real() || is_old(&directory))
        {
            remove(&directory);
        }
    }
    Ok(())
}

/// The scratch directory that an entry of `tmp/` belongs to.
fn place_of(path: PathBuf) -> PathBuf {
    match path.extension() {
        Some(extension) if extension == LOCK => path.with_extension(""),
        _ => path,
    }
}

/// Whether the process that created a scratch directory is still working there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    Lives,
    Dead,
}

/// The scratch directories in `parent`. The caller does not need write permission for `parent`.
pub(crate) fn list(parent: &Path) -> Vec<(PathBuf, Maker)> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let places: BTreeSet<PathBuf> = entries.map(|entry| place_of(entry.path())).collect();
    let maker = |place: PathBuf| {
        let maker = match lock::is_held(&lock_of(&place)) {
            Some(true) => Maker::Lives,
            Some(false) => Maker::Dead,
            None if is_old(&place) => Maker::Dead,
            None => Maker::Lives,
        };
        (place, maker)
    };
    places.into_iter().map(maker).collect()
}

/// Whether the directory is old enough to be abandoned. Without locks, the age is the only
/// evidence that no process uses it.
fn is_old(directory: &Path) -> bool {
    let modified = fs::symlink_metadata(directory).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > ABANDONED))
}

/// The lock file of a scratch directory. `with_extension` would replace the count at the end of
/// the name, so it is not used here.
fn lock_of(directory: &Path) -> PathBuf {
    let mut path = directory.as_os_str().to_owned();
    path.push(".");
    path.push(LOCK);
    path.into()
}

/// Removes a directory, even if an unpacked image has left directories in it that do not allow
/// access. A file in its place is removed as well: a file server keeps an open file under another
/// name when it is removed.
fn remove(directory: &Path) {
    if fs::remove_dir_all(directory).is_ok() || !directory.is_dir() {
        let _ = fs::remove_file(directory);
        return;
    }
    open_up(directory);
    let _ = fs::remove_dir_all(directory);
}

fn open_up(directory: &Path) {
    let _ = fs::set_permissions(directory, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Maker, Scratch, list, sweep};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    fn names(directory: &std::path::Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_scratch_directory_is_removed_on_drop() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(parent.path()).unwrap();
        fs::write(scratch.path("a"), "a").unwrap();
        sweep(parent.path()).unwrap();
        assert!(scratch.path("a").exists());
        let listed = list(parent.path());
        assert_eq!(listed, [(scratch.directory().to_owned(), Maker::Lives)]);
        drop(scratch);
        assert_eq!(names(parent.path()), 0);
    }

    #[test]
    fn leftovers_of_dead_processes_are_swept() {
        let parent = tempfile::tempdir().unwrap();
        let closed = parent.path().join("h.1.0/rootfs/closed");
        fs::create_dir_all(&closed).unwrap();
        fs::write(closed.join("file"), "").unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        fs::write(parent.path().join("h.1.0.lock"), "").unwrap();
        // One process was killed before it created the directory, another one after its lock file
        // was removed.
        fs::write(parent.path().join("h.2.0.lock"), "").unwrap();
        fs::create_dir(parent.path().join("h.3.0")).unwrap();
        let dead = |name: &str| (parent.path().join(name), Maker::Dead);
        assert_eq!(list(parent.path()), ["h.1.0", "h.2.0", "h.3.0"].map(dead));
        assert_eq!(names(parent.path()), 4);
        sweep(parent.path()).unwrap();
        assert_eq!(names(parent.path()), 0);
    }
}
