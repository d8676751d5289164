//! One file under an image root, and its state for jobs.

use super::misnamed;
use crate::cache::access::{Access, DirectoryAccess};
use crate::cache::image_name;
use crate::cache::sif_metadata::{self, Origin};
use crate::cache::squashfs::{self, Damage};
use crate::cache::store::architecture::{self, Architecture};
use crate::cache::store::metadata::Record;
use sifcache_core::image::{self, Root, State};
use sifcache_core::reference::Reference;
use sifcache_core::{sif, trust};
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Device and inode number, which identify a file under all of its names.
pub(crate) type Identity = (u64, u64);

/// A file and the collected data about it.
#[derive(Debug)]
pub(crate) struct File {
    /// The index of its image root.
    pub(crate) root: usize,
    /// Its path relative to the root.
    pub(crate) name: PathBuf,
    /// Its full path.
    pub(crate) path: PathBuf,
    /// The reference that leads a job to this name, if there is one.
    pub(crate) reference: Option<Reference>,
    /// Its state as a candidate. Without a reference, the state of its content.
    pub(crate) state: State,
    /// Damage to the root file system of an otherwise valid image.
    pub(crate) damage: Option<Damage>,
    /// The source that it was pulled from, which is only read if its name is suspicious or is not a
    /// reference.
    pub(crate) origin: Option<Origin>,
    /// Metadata of the target, with links followed.
    pub(crate) metadata: Option<Metadata>,
    /// Who may read it.
    pub(crate) access: Access,
    /// Its record, if there is one.
    pub(crate) record: Option<Arc<Record>>,
    /// The spellings of the reference that lead to it.
    pub(crate) found_as: Vec<String>,
}

impl File {
    /// Inspects the file called `name`.
    pub(crate) fn look(
        (index, path): (usize, &Path),
        root: &Root<'_>,
        name: &Path,
        directory_access: &DirectoryAccess,
        architecture: Architecture,
    ) -> Self {
        let (root_path, path) = (path, path.join(name));
        let spelled = name.to_str().and_then(|text| Some((text, image_name::reference(text)?)));
        let metadata = fs::metadata(&path).ok();
        let state = match &spelled {
            Some((text, _)) => architecture::check(root, text, architecture),
            None => content(&path, metadata.as_ref()),
        };
        let damage = match &state {
            State::Image => squashfs::check(&path).err(),
            _ => None,
        };
        let access = match &metadata {
            Some(metadata) => directory_access.file(&path, metadata, leads_on(root_path, name)),
            None => Access::Everybody,
        };
        let reference = spelled.map(|(_, reference)| reference);
        let is_suspicious = name.to_str().is_none_or(misnamed::is_suspicious);
        let is_read = state == State::Image && (reference.is_none() || is_suspicious);
        let origin = is_read.then(|| sif_metadata::origin(&path)).flatten();
        let (record, found_as, name) = (None, Vec::new(), name.to_owned());
        Self {
            root: index,
            name,
            path,
            reference,
            state,
            damage,
            origin,
            metadata,
            access,
            record,
            found_as,
        }
    }

    /// Whether it is a valid image with a reference, as far as the calling user can determine.
    pub(crate) fn is_image(&self) -> bool {
        self.reference.is_some() && self.state == State::Image
    }

    /// Whether it is a valid image with a reference, and users can read it.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_image() && self.access.is_open()
    }

    /// The identity of the file, or `None` without metadata.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.metadata.as_ref().map(|metadata| (metadata.dev(), metadata.ino()))
    }

    /// Its size in bytes; 0 if it is not a regular file.
    pub(crate) fn size(&self) -> u64 {
        self.metadata.as_ref().filter(|metadata| metadata.is_file()).map_or(0, Metadata::len)
    }

    /// Whether both files have the same image: one is a copy of the other, or both were made from
    /// the same image of a registry.
    pub(crate) fn is_same_image(&self, other: &Self) -> bool {
        if self.identity() == other.identity() {
            return true;
        }
        let digests = |file: &Self| file.record.as_ref().map(|record| record.digests.clone());
        let (own, others) = (digests(self).unwrap_or_default(), digests(other).unwrap_or_default());
        if own.iter().any(|digest| others.contains(digest)) {
            return true;
        }
        let same = |one: io::Result<_>, other: io::Result<_>| matches!((one, other), (Ok(one), Ok(other)) if one == other);
        self.size() == other.size() && same(header(&self.path), header(&other.path))
    }
}

/// Whether the last path component is a symbolic link. Links in its parent directories are checked
/// together with these directories.
fn leads_on(root: &Path, name: &Path) -> bool {
    root.join(name).is_symlink()
}

/// The state of the content of a file without a reference. Ownership is not checked.
fn content(path: &Path, metadata: Option<&Metadata>) -> State {
    let Some(metadata) = metadata else { return State::DanglingLink };
    if !metadata.is_file() {
        return State::NotAFile(trust::kind(metadata));
    }
    let size = metadata.len();
    match fs::File::open(path).map(|mut file| image::inspect(&mut file, size)) {
        // The architecture does not matter as long as no reference leads to the file.
        Ok(Ok(_)) => State::Image,
        Ok(Err(State::Empty)) => State::NotSif,
        Ok(Err(state)) => state,
        Err(error) => State::from(error),
    }
}

/// The SIF header of a regular file.
fn header(path: &Path) -> io::Result<[u8; sif::HEADER]> {
    let mut header = [0; sif::HEADER];
    fs::File::open(path)?.read_exact(&mut header)?;
    Ok(header)
}
