//! Replaced or removed files, which are kept for a while: jobs may still run from them, and on NFS,
//! reading a file fails once its last name is removed.

use super::scratch::unique;
use super::{STATE, Store, directory};
use crate::ui::escape::escape_for_terminal;
use crate::ui::stderr;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The format of the time at the start of a directory's name; in UTC.
const FORMAT: &str = "%Y%m%dT%H%M%SZ";
/// The length of that time in characters.
const LENGTH: usize = "20261224T030000Z".len();
/// The unit of the number of blocks in the metadata of a file, in bytes.
const BLOCK: u64 = 512;

/// How long a replaced or removed file is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention(SignedDuration);

impl Retention {
    /// Keeps files for `duration` after their removal. With zero, nothing is kept.
    pub(crate) const fn new(duration: SignedDuration) -> Self {
        Self(duration)
    }

    /// The time until which a file that is removed now will be kept, or `None` if it is not kept.
    pub(crate) fn until(self) -> Option<Timestamp> {
        let until = Timestamp::now().checked_add(self.0).unwrap_or(Timestamp::MAX);
        (!self.0.is_zero()).then_some(until)
    }

    /// Creates the directory for keeping the file called `name` and returns the path of the file
    /// in it, or `None` if nothing is kept.
    ///
    /// # Errors
    /// The directory cannot be created.
    fn place(self, store: &Store, name: &str) -> io::Result<Option<PathBuf>> {
        let Some(until) = self.until() else { return Ok(None) };
        let label = format!("{}.{}", until.strftime(FORMAT), unique());
        let path = store.state().join("kept").join(label).join(name);
        directory::make(store.root(), path.parent().unwrap_or(store.root()))?;
        Ok(Some(path))
    }

    /// Gives the file called `name` a second name under which it is kept, and returns that path.
    /// The file also keeps its first name, unless the file system has no hard links. Does nothing
    /// and returns `None` if nothing is kept.
    ///
    /// # Errors
    /// The second name cannot be created.
    pub(crate) fn link(self, store: &Store, name: &str) -> io::Result<Option<PathBuf>> {
        let Some(kept) = self.place(store, name)? else { return Ok(None) };
        let path = store.path(name);
        match fs::hard_link(&path, &kept) {
            Err(error) if !has_links(&error) => fs::rename(&path, &kept)?,
            result => result?,
        }
        Ok(Some(kept))
    }

    /// Removes the file called `name` from the cache. Returns its new path, or `None` if it was
    /// deleted because nothing is kept.
    ///
    /// # Errors
    /// The file cannot be renamed or deleted.
    pub(crate) fn take(self, store: &Store, name: &str) -> io::Result<Option<PathBuf>> {
        let path = store.path(name);
        let kept = self.place(store, name)?;
        match &kept {
            Some(kept) => fs::rename(&path, kept)?,
            None => fs::remove_file(&path)?,
        }
        Ok(kept)
    }
}

/// Whether the file system supports hard links, judging from the `error` of a failed link(2).
pub(crate) fn has_links(error: &io::Error) -> bool {
    const NONE: [rustix::io::Errno; 4] = [
        rustix::io::Errno::PERM,
        rustix::io::Errno::NOTSUP,
        rustix::io::Errno::NOSYS,
        rustix::io::Errno::MLINK,
    ];
    !error.raw_os_error().is_some_and(|code| NONE.iter().any(|none| none.raw_os_error() == code))
}

/// The directories of kept files, each with the time until which its files are kept.
pub(crate) fn list(root: &Path) -> Vec<(PathBuf, Timestamp)> {
    let entries = fs::read_dir(root.join(STATE).join("kept")).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.path(), until(&entry.path())?))).collect()
}

/// What the deletion of the kept files will free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) bytes: u64,
    pub(crate) inodes: u64,
}

/// What the deletion of the kept files will free. A file that still has a name in the cache frees
/// nothing.
pub(crate) fn size(root: &Path) -> Size {
    let mut size = Size::default();
    // The number of kept names of each file.
    let mut names: HashMap<u64, u64> = HashMap::new();
    for (directory, _) in list(root) {
        for entry in WalkDir::new(directory).into_iter().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let name = names.entry(metadata.ino()).or_default();
            *name += 1;
            if metadata.is_dir() || metadata.nlink() == *name {
                size.inodes += 1;
                size.bytes += metadata.blocks() * BLOCK;
            }
        }
    }
    size
}

/// The time in the name, or `None` if this command did not choose the name.
fn until(path: &Path) -> Option<Timestamp> {
    let text = path.file_name()?.to_str()?.get(..LENGTH)?;
    let time = DateTime::strptime(FORMAT, text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Removes the kept files whose retention has ended. Those that cannot be removed are reported and
/// stay for the next command: an NFS client, for example, keeps a file for as long as a process has
/// it open, and its directory is not empty until then.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn purge(directory: &Path, now: Timestamp) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if until(&path).is_none_or(|until| until > now) {
            continue;
        }
        let removed = match path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        match removed {
            // Another command removed it first.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => stderr::message(&format!(
                "cannot delete {}, which is no longer needed: {error}",
                escape_for_terminal(&path)
            )),
            Ok(()) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Retention, purge};
    use crate::cache::store::tests::store;
    use jiff::{SignedDuration, Timestamp};
    use std::fs;

    #[test]
    fn files_are_kept_until_their_time() {
        let (directory, store) = store();
        fs::create_dir(directory.path().join("o")).unwrap();
        fs::write(store.path("o/i:1"), "old").unwrap();
        let retention = Retention::new(SignedDuration::from_hours(48));
        let linked = retention.link(&store, "o/i:1").unwrap().unwrap();
        assert!(store.path("o/i:1").exists());
        let taken = retention.take(&store, "o/i:1").unwrap().unwrap();
        assert!(!store.path("o/i:1").exists());
        assert_eq!(fs::read_to_string(&taken).unwrap(), "old");
        assert_ne!(linked, taken);
        let kept = store.state().join("kept");
        fs::create_dir(kept.join("not ours")).unwrap();
        let hours = |hours| Timestamp::now() + SignedDuration::from_hours(hours);
        purge(&kept, hours(47)).unwrap();
        assert!(linked.exists() && taken.exists());
        assert_eq!(super::list(store.root()).len(), 2);
        // Both are the same file, each in a directory of a directory.
        assert_eq!(super::size(store.root()).inodes, 5);
        fs::hard_link(&taken, store.path("again")).unwrap();
        assert_eq!(super::size(store.root()).inodes, 4);
        purge(&kept, hours(49)).unwrap();
        assert!(!linked.exists() && !taken.exists());
        assert_eq!(fs::read_dir(&kept).unwrap().count(), 1);
    }

    #[test]
    fn zero_retention_keeps_nothing() {
        let (_directory, store) = store();
        fs::write(store.path("i:1"), "old").unwrap();
        let retention = Retention::new(SignedDuration::ZERO);
        assert_eq!(retention.take(&store, "i:1").unwrap(), None);
        assert!(!store.path("i:1").exists());
    }
}
