//! Replaces a file as a whole: a reader finds either the old content or the new one.

use crate::cache::store::lock::Lock;
use crate::cache::store::sync_directory;
use crate::error::Failure;
use crate::system::signals;
use rustix::fs::OFlags;
use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The interval between attempts to get a lock.
const RETRY: Duration = Duration::from_millis(100);
/// What to do about a file that cannot be written.
const ADVICE: &str = "run this as a user that may write to its directory";

/// Writes a file with this mode, whatever the umask is. The caller makes sure that no other process
/// does so at the same time.
///
/// # Errors
/// If the file cannot be written or renamed.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = hidden(path, "tmp");
    // A run that was killed has left it.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write(&temporary, bytes, mode).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_directory(path.parent().unwrap_or(Path::new("/")))
}

/// Like [`replace`], for a file that several processes may write at the same time.
///
/// # Errors
/// The same as for [`replace`]; or a signal asked the command to end.
pub(crate) fn replace_alone(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let failed = |error| Failure::MetricsFile { path: path.to_owned(), error, advice: ADVICE };
    let _lock = lock(&hidden(path, "lock"), &failed)?;
    replace(path, bytes, mode).map_err(failed)
}

/// Takes a lock; waits for another run to end.
///
/// # Errors
/// The result of `failed` if the lock file cannot be used; or a signal asked the command to end.
pub(crate) fn lock(path: &Path, failed: &dyn Fn(io::Error) -> Failure) -> Result<Lock, Failure> {
    loop {
        if let Some(lock) = Lock::take(path).map_err(failed)? {
            return Ok(lock);
        }
        signals::check()?;
        thread::sleep(RETRY);
    }
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(mode).custom_flags(flags).open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// A hidden file beside `path`. Its name does not end in `.prom`, so node_exporter does not read it.
pub(crate) fn hidden(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::{hidden, replace, replace_alone};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_file_is_replaced_with_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.prom");
        for (text, mode) in [("one", 0o644), ("two", 0o600)] {
            fs::write(hidden(&path, "tmp"), "left by a killed run").unwrap();
            replace(&path, text.as_bytes(), mode).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        }
        assert_eq!(hidden(&path, "tmp"), directory.path().join(".a.prom.tmp"));
    }

    /// Whoever may write to the directory cannot direct the text to another file.
    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let [path, other] = ["a.prom", "other"].map(|name| directory.path().join(name));
        fs::write(&other, "other").unwrap();
        symlink(&other, hidden(&path, "tmp")).unwrap();
        symlink(&other, &path).unwrap();
        replace_alone(&path, b"text", 0o644).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "other");
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
        assert!(!path.is_symlink());
    }

    /// Each of them creates the temporary file, which must not exist.
    #[test]
    fn several_writers_wait_for_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.prom");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..8 {
                        replace_alone(&path, b"text", 0o644).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    /// A directory in the place of the file: nothing is left behind.
    #[test]
    fn a_failure_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.prom");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"text", 0o644).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(replace(&directory.path().join("none/a.prom"), b"text", 0o644).is_err());
    }
}
