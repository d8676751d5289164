//! One file under an image root: what a job would make of it.

use super::misnamed;
use crate::cache::access::{Access, Doors};
use crate::cache::image_name;
use crate::cache::sif_metadata::{self, Origin};
use crate::cache::squashfs::{self, Damage};
use crate::cache::store::architecture::{self, Architecture};
use crate::cache::store::metadata::Known;
use sifcache_core::image::{self, Root, State};
use sifcache_core::reference::Reference;
use sifcache_core::{sif, trust};
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Device and inode: which file it is, whatever it is called.
pub(crate) type Identity = (u64, u64);

/// A file, and what is known of it.
#[derive(Debug)]
pub(crate) struct File {
    /// Which root it is under, counted from the first.
    pub(crate) root: usize,
    /// Its name under the root.
    pub(crate) name: PathBuf,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The reference that would lead a job to it, if it were an image.
    pub(crate) reference: Option<Reference>,
    /// As a candidate; without a reference, what its content would be.
    pub(crate) state: State,
    /// What is wrong with the root file system of what is an image otherwise.
    pub(crate) damage: Option<Damage>,
    /// What it was pulled from, if its name makes that worth reading.
    pub(crate) origin: Option<Origin>,
    /// Of what it leads to.
    pub(crate) metadata: Option<Metadata>,
    /// Who may read it.
    pub(crate) access: Access,
    /// What is known of it beyond the file.
    pub(crate) known: Option<Arc<Known>>,
    /// What users may write to get it.
    pub(crate) found_as: Vec<String>,
}

impl File {
    /// Looks at the file called `name`.
    pub(crate) fn look(
        (index, path): (usize, &Path),
        root: &Root<'_>,
        name: &Path,
        doors: &Doors,
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
            Some(metadata) => doors.file(&path, metadata, leads_on(root_path, name)),
            None => Access::Everybody,
        };
        let reference = spelled.map(|(_, reference)| reference);
        let is_suspicious = name.to_str().is_none_or(misnamed::is_suspicious);
        let is_read = state == State::Image && (reference.is_none() || is_suspicious);
        let origin = is_read.then(|| sif_metadata::origin(&path)).flatten();
        let (known, found_as, name) = (None, Vec::new(), name.to_owned());
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
            known,
            found_as,
        }
    }

    /// Whether it is an image, as whoever verifies sees it.
    pub(crate) fn is_image(&self) -> bool {
        self.reference.is_some() && self.state == State::Image
    }

    /// Whether users get it, if they ask for it.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_image() && self.access.is_open()
    }

    /// Which file it is.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.metadata.as_ref().map(|metadata| (metadata.dev(), metadata.ino()))
    }

    /// Its size, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.metadata.as_ref().filter(|metadata| metadata.is_file()).map_or(0, Metadata::len)
    }

    /// Whether both hold the same image: one is a copy of the other, or they were made of
    /// the same image of a registry.
    pub(crate) fn is_same_image(&self, other: &Self) -> bool {
        if self.identity() == other.identity() {
            return true;
        }
        let digests = |file: &Self| file.known.as_ref().map(|known| known.digests.clone());
        let (ours, theirs) =
            (digests(self).unwrap_or_default(), digests(other).unwrap_or_default());
        if ours.iter().any(|digest| theirs.contains(digest)) {
            return true;
        }
        let same = |one: io::Result<_>, other: io::Result<_>| matches!((one, other), (Ok(one), Ok(other)) if one == other);
        self.size() == other.size() && same(header(&self.path), header(&other.path))
    }
}

/// Whether the file itself is a link. Its directory's links are the directory's matter.
fn leads_on(root: &Path, name: &Path) -> bool {
    root.join(name).is_symlink()
}

/// What a file without a reference holds; nobody asks who could have written it.
fn content(path: &Path, metadata: Option<&Metadata>) -> State {
    let Some(metadata) = metadata else { return State::DanglingLink };
    if !metadata.is_file() {
        return State::NotAFile(trust::kind(metadata));
    }
    let size = metadata.len();
    match fs::File::open(path).map(|mut file| image::inspect(&mut file, size)) {
        // That it is for other hosts does not matter before it has a name.
        Ok(Ok(_)) => State::Image,
        Ok(Err(State::Empty)) => State::NotSif,
        Ok(Err(state)) => state,
        Err(error) => State::from(error),
    }
}

/// The first bytes of a regular file.
fn header(path: &Path) -> io::Result<[u8; sif::HEADER]> {
    let mut header = [0; sif::HEADER];
    fs::File::open(path)?.read_exact(&mut header)?;
    Ok(header)
}
