//! Turns a file into an image of the cache. The file is made readable, checked and synced before it
//! gets its name.

use super::retention::{Retention, has_links};
use super::{Store, cannot_write, directory};
use crate::cache::squashfs;
use crate::cache::store::architecture;
use crate::error::Failure;
use crate::system::file_name;
use crate::system::replace::sync_directory;
use sifcache_core::image::{Root, State};
use sifcache_core::sif::host_architecture;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

impl Store {
    /// Checks that a file called `name` can be created here: the name is not too long, no directory
    /// has that name, no file has the name of a directory on its path, and users cannot write to its
    /// directory.
    ///
    /// # Errors
    /// Something is in the way; the message names it and the remedy.
    pub(crate) fn can_hold(&self, name: &str) -> Result<(), Failure> {
        if let Some(component) = file_name::too_long(name) {
            let (name, bytes) = (name.to_owned(), component.len());
            return Err(Failure::LongName { name, bytes });
        }
        let path = self.path(name);
        if path.is_dir() {
            return Err(Failure::IsDirectory(path));
        }
        let parents = path.ancestors().skip(1).take_while(|parent| *parent != self.root());
        let nearest = parents.into_iter().find(|parent| parent.symlink_metadata().is_ok());
        let Some(nearest) = nearest else { return Ok(()) };
        if !nearest.is_dir() {
            let path = nearest.to_owned();
            return Err(Failure::NotDirectory { path, name: name.to_owned() });
        }
        match Root::enter(nearest, self.untrusted()).problem() {
            None => self.guard(name),
            Some(problem) => Err(Failure::Unusable { path, problem: problem.to_string() }),
        }
    }

    /// Prepares a file under `.sifcache/tmp` to become an image: makes it readable for everyone,
    /// gives it to the owner of the root, syncs it, and checks it as a job would.
    ///
    /// # Errors
    /// The file is not a valid image, or cannot be changed or synced.
    pub(crate) fn finish(&self, temporary: &Path) -> Result<(), Failure> {
        let write = |error| cannot_write(temporary, error);
        open_to_all(self.root(), temporary).map_err(write)?;
        File::open(temporary).and_then(|file| file.sync_all()).map_err(write)?;
        let name = temporary.strip_prefix(self.root()).unwrap_or(temporary);
        let root = Root::enter(self.root(), self.untrusted());
        match architecture::check(&root, &name.to_string_lossy(), self.architecture()) {
            State::Image => squashfs::check(temporary)
                .map_err(|damage| Failure::InvalidImage(damage.to_string())),
            State::Untrusted(_) => Err(Failure::UntrustedOwner),
            state => {
                let problem = architecture::describe(&state, self.architecture());
                Err(Failure::InvalidImage(problem.to_string()))
            }
        }
    }

    /// Makes a finished file available as `name`. Returns the path where a replaced file is kept,
    /// if there is one.
    ///
    /// # Errors
    /// The name cannot be created, or the directory cannot be synced. If the name cannot be
    /// created, nothing has changed, except that the existing file of that name may already have
    /// been kept.
    pub(crate) fn place(
        &self,
        temporary: &Path,
        name: &str,
        retention: Retention,
    ) -> Result<Option<PathBuf>, Failure> {
        let path = self.path(name);
        let placed = self.try_place(temporary, name, retention);
        let synced = placed.and_then(|kept| {
            sync_directory(path.parent().unwrap_or(self.root()))?;
            Ok(kept)
        });
        synced.map_err(|error| cannot_write(&path, error))
    }

    fn try_place(
        &self,
        file: &Path,
        name: &str,
        retention: Retention,
    ) -> io::Result<Option<PathBuf>> {
        let path = self.path(name);
        let mut tries = 0;
        loop {
            tries += 1;
            directory::make(self.root(), path.parent().unwrap_or(self.root()))?;
            let error = match fs::hard_link(file, &path) {
                Ok(()) => return Ok(None),
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::AlreadyExists if same(file, &path) => return Ok(None),
                io::ErrorKind::AlreadyExists => {
                    return self.replace(file, name, retention);
                }
                // Another command found the directory empty and removed it.
                io::ErrorKind::NotFound if tries < directory::TRIES && file.exists() => {}
                _ if has_links(&error) => return Err(error),
                _ if path.symlink_metadata().is_ok() => return self.replace(file, name, retention),
                _ => return fs::rename(file, &path).map(|()| None),
            }
        }
    }

    fn replace(
        &self,
        file: &Path,
        name: &str,
        retention: Retention,
    ) -> io::Result<Option<PathBuf>> {
        let kept = retention.link(self, name)?;
        fs::rename(file, self.path(name))?;
        Ok(kept)
    }

    /// Makes `name`, which contains a digest, a second name of the image called `of`. If `name`
    /// already leads to an image, that image stays, because the same digest means the same content.
    ///
    /// # Errors
    /// The name cannot be created.
    pub(crate) fn link_digest(
        &self,
        of: &str,
        name: &str,
        retention: Retention,
    ) -> Result<(), Failure> {
        let (from, path) = (self.path(of), self.path(name));
        let made = directory::make(self.root(), path.parent().unwrap_or(self.root()));
        let linked = made.and_then(|()| match fs::hard_link(&from, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if same(&from, &path) || self.is_image(name) || self.is_own_image(name) {
                    return Ok(());
                }
                retention.take(self, name)?;
                fs::hard_link(&from, &path)
            }
            Err(error) if !has_links(&error) => symlink(beside(of, name), &path),
            result => result,
        });
        linked.map_err(|error| cannot_write(&path, error))
    }

    /// Checks that no image for hosts like this one would be replaced with an image for another
    /// architecture.
    ///
    /// # Errors
    /// `name` is such an image; the message contains the remedy.
    pub(crate) fn refuse_own_image(&self, name: &str) -> Result<(), Failure> {
        if self.architecture() == host_architecture() || !self.is_own_image(name) {
            return Ok(());
        }
        let (host, wanted) = (host_architecture(), self.architecture());
        Err(Failure::OwnImage { path: self.path(name), host, wanted })
    }

    /// Whether `name` is an image for hosts like this one.
    fn is_own_image(&self, name: &str) -> bool {
        Root::enter(self.root(), self.untrusted()).check(name) == State::Image
    }

    /// Whether two names lead to the same file.
    pub(crate) fn is_one_file(&self, one: &str, other: &str) -> bool {
        let identity = |name| fs::metadata(self.path(name)).map(|m| (m.dev(), m.ino()));
        matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
    }

    /// Whether `name` is an image whose root file system is complete.
    pub(crate) fn is_whole_image(&self, name: &str) -> bool {
        self.is_image(name) && squashfs::check(&self.path(name)).is_ok()
    }

    /// Whether a job would accept the file called `name` as an image.
    pub(crate) fn is_image(&self, name: &str) -> bool {
        let root = Root::enter(self.root(), self.untrusted());
        architecture::check(&root, name, self.architecture()) == State::Image
    }
}

/// Makes a file readable for everyone and writable only for its owner. If the caller is root, the
/// file is given to the owner of the image root.
///
/// # Errors
/// The owner or the mode cannot be changed.
pub(crate) fn open_to_all(root: &Path, path: &Path) -> io::Result<()> {
    directory::give(root, path)?;
    fs::set_permissions(path, Permissions::from_mode(0o644))
}

/// Whether two paths lead to the same file. Symbolic links are not followed.
fn same(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::symlink_metadata(path).map(|m| (m.dev(), m.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// The target of a symbolic link called `name` that leads to `of`. It is relative, so that the root
/// can be moved.
fn beside(of: &str, name: &str) -> PathBuf {
    let ups = name.matches('/').count();
    PathBuf::from("../".repeat(ups)).join(of)
}
