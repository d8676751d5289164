//! Writes a report into a file, as a whole: a reader finds either the old content or the new one.

use crate::error::Failure;
use crate::system::replace;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Writes the file with the mode that the umask leaves, or with that of the caller's own file that
/// it replaces.
///
/// # Errors
/// The path exists and is not a regular file, or the file cannot be written.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error| Failure::output(path, error);
    let before = match fs::symlink_metadata(path) {
        // A new file would take the place of a device such as /dev/null, or of a link such as
        // /dev/stdout.
        Ok(before) if !before.is_file() => {
            return Err(failed(io::Error::other("it exists and is not a regular file")));
        }
        // The mode of another user's file could let that user change the new one.
        Ok(before) => {
            (before.uid() == rustix::process::geteuid().as_raw()).then(|| before.mode() & 0o777)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    replace::replace(path, &temporary(path), bytes, before).map_err(failed)
}

/// A hidden file beside `path` that no other process uses.
fn temporary(path: &Path) -> PathBuf {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    replace::hidden(path, &format!("{host}.{}.tmp", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::write;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn mode(path: &std::path::Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_with_its_modes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.html");
        write(&path, b"one").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        write(&path, b"two").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o640));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn modes_of_files_of_other_users_do_not_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.html");
        fs::write(&path, "hers").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        if std::os::unix::fs::chown(&path, Some(1001), None).is_err() {
            // Not root.
            return;
        }
        write(&path, b"ours").unwrap();
        assert_ne!(mode(&path) & 0o666, 0o666);
        assert_eq!(fs::read(&path).unwrap(), b"ours");
    }

    #[test]
    fn only_regular_files_are_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let [other, link, inside] =
            ["other", "link", "inside"].map(|name| directory.path().join(name));
        fs::write(&other, "other").unwrap();
        symlink(&other, &link).unwrap();
        fs::create_dir(&inside).unwrap();
        for path in [&link, &inside, &directory.path().join("none/report.html")] {
            let message = write(path, b"text").unwrap_err().to_string();
            assert!(message.contains(&*path.to_string_lossy()), "{message}");
        }
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&other).unwrap(), "other");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }
}
