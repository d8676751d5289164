//! Replaces the files of `metrics`, which several runs may write at the same time.

use crate::cache::store::lock::Lock;
use crate::error::Failure;
use crate::system::{replace, signals};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The interval between attempts to get a lock.
const RETRY: Duration = Duration::from_millis(100);

/// Writes a file with this mode, whatever the umask is. The caller makes sure that no other process
/// does so at the same time. The temporary file has a name that does not end in `.prom`, so
/// node_exporter does not read it.
///
/// # Errors
/// The file cannot be written or renamed.
pub(crate) fn replace_locked(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = replace::hidden(path, "tmp");
    // A run that was killed has left it.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    replace::replace(path, &temporary, bytes, Some(mode))
}

/// Like [`replace_locked`], for a file that several processes may write at the same time.
///
/// # Errors
/// The same as for [`replace_locked`]; or a signal asked the command to end.
pub(crate) fn replace_alone(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let failed = |error| Failure::output(path, error);
    let _lock = lock(&replace::hidden(path, "lock"), &failed)?;
    replace_locked(path, bytes, mode).map_err(failed)
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

#[cfg(test)]
mod tests {
    use super::{replace_alone, replace_locked};
    use crate::system::replace::hidden;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn what_a_killed_run_has_left_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.prom");
        for (text, mode) in [("one", 0o644), ("two", 0o600)] {
            fs::write(hidden(&path, "tmp"), "left by a killed run").unwrap();
            replace_locked(&path, text.as_bytes(), mode).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        }
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
}
