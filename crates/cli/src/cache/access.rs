//! Determines from owner and mode whether ordinary users can reach a file. Opening the file would
//! prove nothing: `verify` usually runs as root, who can open everything.

use sifcache_core::trust::FIRST_ORDINARY_USER;
use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The first group ID of ordinary users, as login.defs sets it.
const FIRST_ORDINARY_GROUP: u32 = FIRST_ORDINARY_USER;

/// Who has access to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// All users.
    Everybody,
    /// Only the members of this group of ordinary users; this is presumably intended. The path is
    /// the file or directory that restricts access.
    Group(PathBuf, u32),
    /// Only the owner, and perhaps the members of the system group with this ID. The path is the
    /// file or directory that restricts access.
    Closed(PathBuf, Option<u32>),
}

impl Access {
    /// Whether the jobs of at least some ordinary users have access.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self, Self::Closed(..))
    }

    /// The stricter of this access and `then`, for something that requires both.
    fn and(self, then: Self) -> Self {
        match (&self, &then) {
            (Self::Everybody, _) | (Self::Group(..), Self::Closed(..)) => then,
            _ => self,
        }
    }
}

const READ: u32 = 0o4;
const SEARCH: u32 = 0o1;

/// Who has this permission on the file or directory that `metadata` describes.
fn of(path: &Path, metadata: &Metadata, permission: u32) -> Access {
    let (mode, gid) = (metadata.mode(), metadata.gid());
    let group = mode & (permission << 3) != 0;
    match (mode & permission != 0, group) {
        (true, _) => Access::Everybody,
        (false, true) if gid >= FIRST_ORDINARY_GROUP => Access::Group(path.to_owned(), gid),
        (false, group) => Access::Closed(path.to_owned(), group.then_some(gid)),
    }
}

/// Caches the access to each directory that was examined, and which of their paths have no symbolic
/// links.
#[derive(Debug, Default)]
pub(crate) struct DirectoryAccess(HashMap<PathBuf, Access>, HashSet<PathBuf>);

impl DirectoryAccess {
    /// Who can look up names in a directory. Symbolic links in the path are followed.
    pub(crate) fn directory(&mut self, path: &Path) -> Access {
        if let Some(access) = self.0.get(path) {
            return access.clone();
        }
        if let Some(access) = self.in_real_directory(path) {
            return access;
        }
        let access = match fs::canonicalize(path) {
            Ok(real) if real != path => self.directory(&real),
            real => {
                self.1.extend(real);
                let above = path.parent().map_or(Access::Everybody, |up| self.directory(up));
                let own = fs::metadata(path).map(|metadata| of(path, &metadata, SEARCH));
                // Other checks report a directory whose metadata cannot be read.
                above.and(own.unwrap_or(Access::Everybody))
            }
        };
        self.0.insert(path.to_owned(), access.clone());
        access
    }

    /// The access to a directory, if the directory above it was examined and no component of the
    /// path is a symbolic link. This takes one system call.
    fn in_real_directory(&mut self, path: &Path) -> Option<Access> {
        let (up, _) = (path.parent()?, path.file_name()?);
        let above = self.0.get(up).cloned().filter(|_| self.1.contains(up))?;
        let metadata = fs::symlink_metadata(path).ok().filter(Metadata::is_dir)?;
        let access = above.and(of(path, &metadata, SEARCH));
        self.0.insert(path.to_owned(), access.clone());
        self.1.insert(path.to_owned());
        Some(access)
    }

    /// Who can read a file. `metadata` describes the file after symbolic links are followed;
    /// `linked` says whether the path itself is a symbolic link.
    pub(crate) fn file(&self, path: &Path, metadata: &Metadata, linked: bool) -> Access {
        let directory = |path: &Path| {
            let parent = path.parent().unwrap_or(Path::new("/"));
            self.0.get(parent).cloned().unwrap_or_else(|| Self::default().directory(parent))
        };
        let way = directory(path);
        if !linked {
            return way.and(of(path, metadata, READ));
        }
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        way.and(directory(&real)).and(of(&real, metadata, READ))
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, DirectoryAccess};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::{Path, PathBuf};

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn access(path: &Path) -> Access {
        let mut directory_access = DirectoryAccess::default();
        directory_access.directory(path.parent().unwrap());
        directory_access.file(path, &fs::metadata(path).unwrap(), path.is_symlink())
    }

    fn closed(path: &Path) -> Access {
        Access::Closed(path.to_owned(), None)
    }

    #[test]
    fn the_file_and_each_directory_on_its_path_restrict_access() {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().canonicalize().unwrap();
        mode(&top, 0o755);
        let (a, b, link): (_, _, PathBuf) = (top.join("a"), top.join("b"), top.join("b/link"));
        fs::create_dir(&a).unwrap();
        fs::create_dir(&b).unwrap();
        let file = a.join("i:1");
        fs::write(&file, "").unwrap();
        symlink("../a/i:1", &link).unwrap();
        for (directory, file_mode, expected) in [
            (0o755, 0o644, Access::Everybody),
            (0o711, 0o604, Access::Everybody),
            (0o700, 0o644, closed(&a)),
            (0o755, 0o600, closed(&file)),
            (0o744, 0o600, closed(&a)),
        ] {
            mode(&a, directory);
            mode(&file, file_mode);
            assert_eq!(access(&file), expected, "{directory:o} {file_mode:o}");
            assert_eq!(access(&link), expected, "{directory:o} {file_mode:o}");
        }
        mode(&a, 0o755);
        mode(&file, 0o644);
        mode(&b, 0o700);
        assert_eq!((access(&file), access(&link)), (Access::Everybody, closed(&b)));
    }

    #[test]
    fn user_groups_have_access_and_system_groups_do_not() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root, to give files to groups");
            return;
        }
        let root = tempfile::tempdir().unwrap();
        mode(root.path(), 0o755);
        let file = root.path().canonicalize().unwrap().join("i:1");
        fs::write(&file, "").unwrap();
        mode(&file, 0o640);
        assert_eq!(access(&file), Access::Closed(file.clone(), Some(0)));
        std::os::unix::fs::chown(&file, None, Some(1005)).unwrap();
        assert_eq!(access(&file), Access::Group(file.clone(), 1005));
        // The directory is first open to the group only; later the file in it is closed to all but
        // its owner.
        let inner = root.path().canonicalize().unwrap().join("o");
        fs::create_dir(&inner).unwrap();
        mode(&inner, 0o750);
        std::os::unix::fs::chown(&inner, None, Some(1005)).unwrap();
        let secret = inner.join("i:1");
        fs::write(&secret, "").unwrap();
        mode(&secret, 0o644);
        assert_eq!(access(&secret), Access::Group(inner, 1005));
        mode(&secret, 0o600);
        assert_eq!(access(&secret), closed(&secret));
        mode(root.path(), 0o700);
        assert_eq!(access(&file), closed(file.parent().unwrap()));
    }
}
