//! The changes of `--fix`, which are limited to safe ones. Files that a person put into an image
//! root are never removed or given to another owner, and are only renamed with `--rename`.

use crate::cache::store::{directory, path_trust, scratch};
use crate::cache::view::{View, sync};
use crate::ui::escape::escape_for_terminal;
use sifcache_core::settings::Untrusted;
use sifcache_core::trust::{self, UntrustedReason, Writer};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fix {
    /// Remove write permission for group and others. The fields are the path, and the image root
    /// that contains it.
    Close(PathBuf, PathBuf),
    /// Make a path readable by all users. The fields are the path, and the image root that contains
    /// it.
    Open(PathBuf, PathBuf),
    /// Remove a dangling link whose name has a digest.
    Unlink(PathBuf),
    /// Remove leftovers of killed commands in this directory.
    Sweep(PathBuf),
    /// Rename an image to a name that launches find; both are under an image root.
    Rename { from: PathBuf, to: PathBuf, root: PathBuf },
    /// Remove a record, and then its empty parent directories. The fields are the record, and the
    /// directory at which the removal stops.
    Forget(PathBuf, PathBuf),
    /// Create, replace and remove the links of a view, for images that these settings accept.
    View(View, Untrusted),
}

impl Fix {
    /// The fix for a path under `root` that users other than its owner may write to. `root` must be
    /// canonical.
    pub(crate) fn close(reason: &UntrustedReason, root: &Path) -> Option<Self> {
        let path = &reason.path;
        let by_mode = !matches!(reason.by, Writer::Owner(_) | Writer::Unmapped(_));
        (by_mode && path.starts_with(root)).then(|| Self::Close(path.clone(), root.to_owned()))
    }

    /// The fix for a path under `root` that users may not read. `root` must be canonical.
    pub(crate) fn open(path: &Path, root: &Path) -> Option<Self> {
        let real = fs::canonicalize(path).ok().filter(|real| real.starts_with(root))?;
        Some(Self::Open(real, root.to_owned()))
    }

    /// Makes the change and describes it. Returns `None` if nothing needed to be changed any more.
    ///
    /// # Errors
    /// The change fails, or it is not safe.
    pub(crate) fn apply(&self) -> io::Result<Option<String>> {
        match self {
            Self::Close(path, root) => mode(path, root, |mode, _| mode & !0o022),
            Self::Open(path, root) => mode(path, root, |mode, metadata| {
                mode | if metadata.is_dir() { 0o555 } else { 0o444 }
            }),
            Self::Unlink(path) => {
                guard(path.parent().unwrap_or(path))?;
                let leads_nowhere = path.is_symlink() && fs::metadata(path).is_err();
                leads_nowhere.then(|| fs::remove_file(path)).transpose()?;
                Ok(leads_nowhere.then(|| "removed".to_owned()))
            }
            Self::Rename { from, to, root } => rename(from, to, root).map(Some),
            Self::Sweep(parent) => {
                guard(parent)?;
                scratch::sweep(parent)?;
                Ok(Some("removed".into()))
            }
            Self::Forget(record, top) => {
                guard(record.parent().unwrap_or(top))?;
                fs::remove_file(record)?;
                directory::tidy(top, record);
                Ok(Some("removed".into()))
            }
            Self::View(view, untrusted) => update(view, *untrusted),
        }
    }
}

/// Updates a view; `None` if it is current, because another finding has updated it.
fn update(view: &View, untrusted: Untrusted) -> io::Result<Option<String>> {
    let before = sync::apply(view, untrusted, &|| ()).map_err(io::Error::other)?;
    Ok(before.is_outdated().then(|| "the links of the view are current".to_owned()))
}

/// Renames a file without replacing an existing one.
fn rename(from: &Path, to: &Path, root: &Path) -> io::Result<String> {
    guard(from.parent().unwrap_or(root))?;
    let parent = to.parent().unwrap_or(root);
    let there = parent.ancestors().find(|parent| parent.is_dir()).unwrap_or(root);
    guard(there)?;
    directory::make(root, parent)?;
    // A relative link would lead elsewhere from another directory.
    if !from.symlink_metadata()?.is_file() {
        return Err(io::Error::other("it is a link: rename it by hand"));
    }
    // Link and unlink instead of rename(2), because link(2) fails if the name exists.
    fs::hard_link(from, to)?;
    fs::remove_file(from)?;
    let name = to.strip_prefix(root).unwrap_or(to);
    Ok(format!("renamed to {}", escape_for_terminal(name)))
}

/// Fails for a directory where an untrusted user could redirect the path to other users' files.
fn guard(directory: &Path) -> io::Result<()> {
    match path_trust::at(directory) {
        None => Ok(()),
        Some(reason) => Err(io::Error::other(path_trust::describe(&reason))),
    }
}

/// Changes the mode of a file that a system user owns and whose real path is under `root`. All
/// checks use the open file, so that it cannot be replaced in the meantime.
fn mode(
    path: &Path,
    root: &Path,
    change: impl Fn(u32, &Metadata) -> u32,
) -> io::Result<Option<String>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !real_path(&file)?.starts_with(root) {
        return Err(io::Error::other("it is not under the image root"));
    }
    if !trust::is_system_account(metadata.uid()) {
        return Err(io::Error::other(format!("it belongs to the user {}", metadata.uid())));
    }
    let old = metadata.mode() & 0o7777;
    let new = change(old, &metadata);
    if new == old {
        return Ok(None);
    }
    file.set_permissions(Permissions::from_mode(new))?;
    Ok(Some(format!("mode changed from {old:04o} to {new:04o}")))
}

fn real_path(file: &File) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::Fix;
    use sifcache_core::trust::{UntrustedReason, Writer};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
    use std::path::Path;

    fn file(path: &Path, mode: u32) {
        fs::write(path, "x").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn only_system_files_under_the_root_are_changed() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root, to make files that root owns");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path().canonicalize().unwrap();
        let root = top.join("root");
        fs::create_dir(&root).unwrap();
        let (inside, outside, link) = (root.join("in"), top.join("out"), root.join("link"));
        file(&inside, 0o626);
        file(&outside, 0o622);
        symlink(&outside, &link).unwrap();
        let by = Writer::Others;
        assert_eq!(Fix::close(&UntrustedReason { path: outside.clone(), by }, &root), None);
        assert_eq!((Fix::open(&outside, &root), Fix::open(&link, &root)), (None, None));
        let close = Fix::close(&UntrustedReason { path: inside.clone(), by }, &root).unwrap();
        assert_eq!(close.apply().unwrap().unwrap(), "mode changed from 0626 to 0604");
        assert_eq!(close.apply().unwrap(), None);
        // A link replaces the file after the check.
        fs::remove_file(&inside).unwrap();
        symlink(&outside, &inside).unwrap();
        assert!(close.apply().is_err());
        assert!(Fix::Open(root.join("../out"), root.clone()).apply().is_err());
        assert_eq!(mode(&outside), 0o622);
        let foreign = root.join("theirs");
        file(&foreign, 0o622);
        chown(&foreign, Some(1001), None).unwrap();
        let error = Fix::Close(foreign.clone(), root).apply().unwrap_err().to_string();
        assert_eq!((error.as_str(), mode(&foreign)), ("it belongs to the user 1001", 0o622));
    }

    /// The cases are a name that was taken in the meantime, a link, and directories that users can
    /// write to.
    #[test]
    fn a_rename_never_replaces_a_file() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root, to make files that root owns");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        let (from, to) = (root.join("i_1.sif"), root.join("o/new/i:1"));
        let rename = |from: &Path| {
            let (from, to, root) = (from.to_owned(), to.clone(), root.clone());
            Fix::Rename { from, to, root }.apply()
        };
        fs::write(&from, "one").unwrap();
        assert_eq!(rename(&from).unwrap().unwrap(), "renamed to o/new/i:1");
        assert!(!from.exists());
        fs::write(&from, "two").unwrap();
        assert_eq!(rename(&from).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(
            (fs::read(&from).unwrap(), fs::read(&to).unwrap()),
            (b"two".into(), b"one".into())
        );
        fs::remove_file(&to).unwrap();
        let link = root.join("link");
        symlink("i_1.sif", &link).unwrap();
        let error = rename(&link).unwrap_err().to_string();
        assert_eq!((error.as_str(), link.is_symlink()), ("it is a link: rename it by hand", true));
        for foreign in [root.join("o"), root.clone()] {
            fs::set_permissions(&foreign, Permissions::from_mode(0o777)).unwrap();
            assert!(rename(&from).is_err(), "{}", foreign.display());
            fs::set_permissions(&foreign, Permissions::from_mode(0o755)).unwrap();
        }
        assert!(from.exists() && !to.exists());
        let foreign = root.join("theirs");
        fs::create_dir(&foreign).unwrap();
        fs::set_permissions(&foreign, Permissions::from_mode(0o777)).unwrap();
        fs::write(foreign.join("i_1.sif"), "three").unwrap();
        assert!(rename(&foreign.join("i_1.sif")).is_err() && !to.exists());
    }

    #[test]
    fn only_dangling_links_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("link");
        symlink("/", &path).unwrap();
        assert_eq!(Fix::Unlink(path.clone()).apply().unwrap(), None);
        fs::remove_file(&path).unwrap();
        symlink("nowhere", &path).unwrap();
        assert!(Fix::Unlink(path.clone()).apply().unwrap().is_some());
        assert!(!path.is_symlink());
    }
}
