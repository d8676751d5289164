//! Replaces a file atomically: a reader finds either the old content or the new one, even after a
//! power failure.

use super::file_name;
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The mode of a new file before the umask.
const MODE: u32 = 0o666;

/// Writes the bytes into the new file `temporary`, syncs it, and renames it to `path`, which must
/// be in the same directory. With `mode`, the file gets exactly this mode; otherwise it gets mode
/// 666, reduced by the umask.
///
/// # Errors
/// `temporary` exists, or the file cannot be written, renamed or synced. `path` is then unchanged,
/// unless only the sync of its directory failed, and a temporary file of this call is removed.
pub(crate) fn replace(
    path: &Path,
    temporary: &Path,
    bytes: &[u8],
    mode: Option<u32>,
) -> io::Result<()> {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).custom_flags(flags).mode(mode.unwrap_or(MODE));
    let file = options.open(temporary)?;
    let written = write(file, bytes, mode).and_then(|()| fs::rename(temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(temporary);
    }
    written?;
    sync_directory(directory(path))
}

fn write(mut file: File, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    file.write_all(bytes)?;
    mode.map_or(Ok(()), |mode| file.set_permissions(Permissions::from_mode(mode)))?;
    file.sync_all()
}

/// A hidden file beside `path`: `.NAME.SUFFIX`, where a long NAME is shortened.
pub(crate) fn hidden(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    path.with_file_name(file_name::companion(".", name, &format!(".{suffix}")))
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Syncs a directory, so that the names in it survive a power failure.
///
/// # Errors
/// The directory cannot be opened or synced.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some network file systems do not support this and do not need it.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::{directory, hidden, replace};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    #[test]
    fn a_file_is_replaced_with_its_mode() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("a.prom");
        let temporary = hidden(&path, "tmp");
        assert_eq!(temporary, top.path().join(".a.prom.tmp"));
        for (text, mode) in [("one", 0o646), ("two", 0o600)] {
            replace(&path, &temporary, text.as_bytes(), Some(mode)).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(fs::read_dir(top.path()).unwrap().count(), 1);
        }
    }

    /// A user who may write to the directory cannot redirect the text to another file.
    #[test]
    fn no_link_is_followed() {
        let top = tempfile::tempdir().unwrap();
        let [path, other] = ["a.prom", "other"].map(|name| top.path().join(name));
        let temporary = hidden(&path, "tmp");
        fs::write(&other, "other").unwrap();
        symlink(&other, &path).unwrap();
        symlink(&other, &temporary).unwrap();
        assert!(replace(&path, &temporary, b"text", None).is_err());
        // This call did not create the link, so it does not remove it.
        assert!(temporary.is_symlink());
        fs::remove_file(&temporary).unwrap();
        replace(&path, &temporary, b"text", None).unwrap();
        assert!(!path.is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
        assert_eq!(fs::read_to_string(&other).unwrap(), "other");
    }

    #[test]
    fn a_failure_leaves_nothing() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("a.prom");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, &hidden(&path, "tmp"), b"text", None).is_err());
        assert_eq!(fs::read_dir(top.path()).unwrap().count(), 1);
        let missing = top.path().join("none/a.prom");
        assert!(replace(&missing, &hidden(&missing, "tmp"), b"text", None).is_err());
    }

    #[test]
    fn a_name_alone_is_in_the_working_directory() {
        assert_eq!(directory(Path::new("report.html")), Path::new("."));
        assert_eq!(directory(Path::new("/a/report.html")), Path::new("/a"));
    }
}
