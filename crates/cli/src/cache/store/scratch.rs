//! Places for things in progress. They go with whoever made them.

use super::lock::{self, Lock};
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What the name of a scratch directory's lock ends in.
const LOCK: &str = "lock";
/// No pull takes that long.
const ABANDONED: Duration = Duration::from_secs(7 * 86_400);

/// A directory of ours alone, which goes when this is dropped.
///
/// Its lock is taken before the directory is made and given up after it is gone, so a
/// directory whose lock can be had is nobody's.
#[derive(Debug)]
pub(crate) struct Scratch {
    directory: PathBuf,
    lock: Lock,
}

impl Scratch {
    /// Makes one in `parent`.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn new(parent: &Path) -> io::Result<Self> {
        loop {
            if let Some(scratch) = Self::called(parent, &unique())? {
                return Ok(scratch);
            }
        }
    }

    /// Makes one of that name in `parent`; nothing if there is one already.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn called(parent: &Path, name: &str) -> io::Result<Option<Self>> {
        let directory = parent.join(name);
        let Some(lock) = Lock::take(&lock_of(&directory))? else { return Ok(None) };
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => Ok(Some(Self { directory, lock })),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The lock's open file, to be handed to processes that write here.
    pub(crate) fn lock(&self) -> &File {
        self.lock.file()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

/// A name that no other process has, on this host or another.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let host = rustix::system::uname().nodename().to_string_lossy().replace('/', "_");
    format!("{host}.{}.{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Takes away what dead processes have left in `parent`.
///
/// # Errors
/// The file system's.
pub(crate) fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let directory = place_of(entry?.path());
        if let Some(lock) = Lock::take(&lock_of(&directory))?
            && (lock.is_real() || is_old(&directory))
        {
            remove(&directory);
        }
    }
    Ok(())
}

/// The directory that a name in `tmp/` belongs to.
fn place_of(path: PathBuf) -> PathBuf {
    match path.extension() {
        Some(extension) if extension == LOCK => path.with_extension(""),
        _ => path,
    }
}

/// Whether who made a scratch directory still works there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    Lives,
    Dead,
}

/// The scratch directories in `parent`, for somebody who need not be allowed to write there.
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

/// Without locks only time can tell that nobody works on something.
fn is_old(directory: &Path) -> bool {
    let modified = fs::symlink_metadata(directory).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > ABANDONED))
}

/// Not `with_extension`, which would take the count for one.
fn lock_of(directory: &Path) -> PathBuf {
    let mut path = directory.as_os_str().to_owned();
    path.push(".");
    path.push(LOCK);
    path.into()
}

/// Removes a directory, also one that an unpacked image has left with odd modes.
fn remove(directory: &Path) {
    if fs::remove_dir_all(directory).is_ok() || !directory.is_dir() {
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
    fn goes_with_its_maker() {
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
    fn what_the_dead_have_left_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let closed = parent.path().join("h.1.0/rootfs/closed");
        fs::create_dir_all(&closed).unwrap();
        fs::write(closed.join("file"), "").unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        fs::write(parent.path().join("h.1.0.lock"), "").unwrap();
        // Killed before the directory was made, and after the lock was gone.
        fs::write(parent.path().join("h.2.0.lock"), "").unwrap();
        fs::create_dir(parent.path().join("h.3.0")).unwrap();
        let dead = |name: &str| (parent.path().join(name), Maker::Dead);
        assert_eq!(list(parent.path()), ["h.1.0", "h.2.0", "h.3.0"].map(dead));
        assert_eq!(names(parent.path()), 4);
        sweep(parent.path()).unwrap();
        assert_eq!(names(parent.path()), 0);
    }
}
