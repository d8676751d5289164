//! One file under an image root, and its state for jobs.
//!
//! A cache can contain hundreds of thousands of names, so [`File`] is small: data that are rarely
//! needed are derived or read again.

use super::paths::Paths;
use super::spelling;
use crate::cache::access::{Access, DirectoryAccess};
use crate::cache::image_name;
use crate::cache::sif_metadata::{self, Origin};
use crate::cache::squashfs::{self, Damage};
use crate::cache::store;
use crate::cache::store::architecture::{self, Architecture};
use crate::cache::store::metadata::Record;
use jiff::Timestamp;
use sifcache_core::image::{self, Root, State};
use sifcache_core::reference::Reference;
use sifcache_core::sif::host_architecture;
use sifcache_core::{sif, trust};
use std::collections::HashSet;
use std::fs::{self, Metadata, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::num::NonZeroU64;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Device and inode number, which identify a file under all of its names.
pub(crate) type Identity = (u64, u64);

/// A file and the collected data about it.
#[derive(Debug)]
pub(crate) struct File {
    /// The paths of all files under its image root, and the number of its own.
    paths: Arc<Paths>,
    number: u32,
    /// The index of its image root.
    pub(crate) root: u32,
    /// A hash of the normal form of the reference that leads a job to this name, if there is one.
    pub(crate) key: Option<NonZeroU64>,
    /// Whether its name is looked up for all spellings of its reference.
    pub(crate) is_universal: bool,
    /// Whether jobs find it for all spellings of its reference.
    pub(crate) is_found: bool,
    /// Its state, unless it is a valid image.
    refused: Option<Box<State>>,
    /// Metadata of the target, with links followed.
    pub(crate) target: Option<Target>,
    /// Who may read it, unless everybody may.
    restricted: Option<Box<Access>>,
    /// The index of the file under whose name the record of this one is stored.
    pub(crate) recorded: Option<u32>,
    /// Data from that record.
    pub(crate) known: Option<Known>,
    /// Data that few files have.
    pub(crate) rare: Option<Box<Rare>>,
}

/// Data that few files have.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// Damage to the root file system of an otherwise valid image.
    pub(crate) damage: Option<Damage>,
    /// The source that it was pulled from, which is only read if its name is suspicious or is not a
    /// reference.
    pub(crate) origin: Option<Origin>,
    /// What its record says, if the digest in its name is another one.
    pub(crate) mismatch: Option<String>,
    /// The spellings of the reference that lead a job to it, if others do not.
    pub(crate) found_as: Vec<String>,
}

/// Data from the record of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    seconds: i64,
    nanoseconds: i32,
    /// Whether it has a digest to compare the tag with.
    pub(crate) has_digest: bool,
}

impl Known {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            seconds: record.added.as_second(),
            nanoseconds: record.added.subsec_nanosecond(),
            has_digest: !record.digests.is_empty(),
        }
    }

    /// When the image was added.
    pub(crate) fn added(&self) -> Option<Timestamp> {
        Timestamp::new(self.seconds, self.nanoseconds).ok()
    }
}

/// Metadata of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    identity: Identity,
    /// Size in bytes; 0 if it is not a regular file.
    pub(crate) size: u64,
    /// Whether it is a regular file.
    pub(crate) is_file: bool,
    seconds: i64,
    nanoseconds: i32,
}

impl Target {
    fn new(metadata: &Metadata) -> Self {
        Self {
            identity: (metadata.dev(), metadata.ino()),
            size: if metadata.is_file() { metadata.len() } else { 0 },
            is_file: metadata.is_file(),
            seconds: metadata.mtime(),
            nanoseconds: i32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
        }
    }

    /// The modification time, if it can be represented.
    pub(crate) fn modified(&self) -> Option<Timestamp> {
        Timestamp::new(self.seconds, self.nanoseconds).ok()
    }
}

/// The image root of files, and data that all of them share.
pub(crate) struct Place<'a> {
    /// The index of the root.
    pub(crate) index: u32,
    pub(crate) root: &'a Root<'a>,
    /// Who can look up names in the directories of the files.
    pub(crate) access: &'a DirectoryAccess,
    /// The architecture that images of this root must have.
    pub(crate) architecture: Architecture,
    /// Files with several names whose content is a valid image.
    pub(crate) valid: Mutex<HashSet<Identity>>,
}

/// The directory of the last file, because the next file is usually in the same one.
#[derive(Default)]
pub(crate) struct Directory(Option<(String, Root<'static>)>);

impl Directory {
    fn at(&mut self, root: &Root<'_>, name: &str) -> &Root<'static> {
        match &mut self.0 {
            Some((last, _)) if last == name => {}
            other => *other = None,
        }
        &self.0.get_or_insert_with(|| (name.to_owned(), root.below(name))).1
    }
}

impl File {
    /// Inspects the file whose path has this number.
    pub(crate) fn look(
        place: &Place<'_>,
        directory: &mut Directory,
        paths: &Arc<Paths>,
        number: u32,
    ) -> Self {
        let (path, is_link) = (paths.get(number), paths.is_link(number));
        let text = paths.name(number).to_str();
        let reference = text.and_then(image_name::reference);
        let located =
            text.filter(|_| reference.is_some()).map(|text| match text.rsplit_once('/') {
                Some((above, last)) => directory.at(place.root, above).locate(last),
                None => place.root.locate(text),
            });
        // A link is examined apart from its target, and an untrusted file has metadata, too.
        let metadata = match &located {
            Some(Ok(metadata)) if !is_link => Some(metadata.clone()),
            _ => fs::metadata(path).ok(),
        };
        let (state, damage) = place.state(path, text, located, metadata.as_ref());
        let access = metadata
            .as_ref()
            .map_or(Access::Everybody, |metadata| place.access.file(path, metadata, is_link));
        let is_suspicious = text.is_none_or(spelling::is_suspicious);
        let is_read = state == State::Image && (reference.is_none() || is_suspicious);
        let origin = is_read.then(|| sif_metadata::origin(path)).flatten();
        let rare = Rare { damage, origin, ..Rare::default() };
        let is_rare = rare.damage.is_some() || rare.origin.is_some();
        let key = reference.as_ref().map(key);
        let universal = |(reference, text)| spelling::is_universal(&reference, text);
        Self {
            paths: Arc::clone(paths),
            number,
            root: place.index,
            key,
            is_universal: reference.zip(text).is_some_and(universal),
            is_found: false,
            refused: (state != State::Image).then(|| state.into()),
            target: metadata.as_ref().map(Target::new),
            restricted: (access != Access::Everybody).then(|| access.into()),
            recorded: None,
            known: None,
            rare: is_rare.then(|| rare.into()),
        }
    }

    /// Its full path.
    pub(crate) fn path(&self) -> &Path {
        self.paths.get(self.number)
    }

    /// Its path relative to the root.
    pub(crate) fn name(&self) -> &Path {
        self.paths.name(self.number)
    }

    /// The reference that leads a job to this name, if there is one.
    pub(crate) fn reference(&self) -> Option<Reference> {
        self.key?;
        image_name::reference(self.name().to_str()?)
    }

    /// Its state as a candidate. Without a reference, the state of its content.
    pub(crate) fn state(&self) -> &State {
        self.refused.as_deref().unwrap_or(&State::Image)
    }

    /// Who may read it.
    pub(crate) fn access(&self) -> &Access {
        self.restricted.as_deref().unwrap_or(&Access::Everybody)
    }

    /// Damage to the root file system of an otherwise valid image.
    pub(crate) fn damage(&self) -> Option<&Damage> {
        self.rare.as_ref()?.damage.as_ref()
    }

    /// The source that it was pulled from, if it was read.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.rare.as_ref()?.origin.as_ref()
    }

    /// Its record, if there is one. `files` are all files of the survey.
    pub(crate) fn record(&self, files: &[Self]) -> Option<Record> {
        let file = files.get(usize::try_from(self.recorded?).ok()?)?;
        let target = file.target.filter(|target| target.is_file)?;
        let root = file.paths.top(file.number);
        Record::load(root, file.name().to_str()?, target.size, target.modified()?)
    }

    /// The record that is stored under this name, if there is one. `records` are those of its root.
    pub(super) fn own_record(&self, records: &mut store::file::Directory) -> Option<Record> {
        let target = self.target.filter(|target| target.is_file)?;
        Record::load_below(records, self.name().to_str()?, target.size, target.modified()?)
    }

    /// The spellings of the reference that lead to it. If all of them do, only the short one is
    /// returned.
    pub(crate) fn found_as(&self) -> Vec<String> {
        match self.is_found {
            true => self.reference().iter().map(image_name::short).collect(),
            false => self.rare.as_ref().map(|rare| rare.found_as.clone()).unwrap_or_default(),
        }
    }

    /// Whether it is a valid image with a reference, as far as the calling user can determine.
    pub(crate) fn is_image(&self) -> bool {
        self.key.is_some() && self.refused.is_none()
    }

    /// Whether it is a valid image with a reference, and users can read it.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_image() && self.access().is_open()
    }

    /// The identity of the file, or `None` without metadata.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.target.map(|target| target.identity)
    }

    /// Its metadata as a regular file.
    pub(crate) fn regular(&self) -> Option<store::file::Regular> {
        let target = self.target.filter(|target| target.is_file)?;
        let (place, size, modified) = (target.identity, target.size, target.modified()?);
        Some(store::file::Regular { place, size, modified })
    }

    /// Its size in bytes; 0 if it is not a regular file.
    pub(crate) fn size(&self) -> u64 {
        self.target.map_or(0, |target| target.size)
    }

    /// Whether both files have the same image: one is a copy of the other, or both were made from
    /// the same image of a registry. `files` are all files of the survey.
    pub(crate) fn is_same_image(&self, other: &Self, files: &[Self]) -> bool {
        if self.identity() == other.identity() {
            return true;
        }
        let digests = |file: &Self| file.record(files).map(|record| record.digests);
        let (own, others) = (digests(self).unwrap_or_default(), digests(other).unwrap_or_default());
        if own.iter().any(|digest| others.contains(digest)) {
            return true;
        }
        let same = |one: io::Result<_>, other: io::Result<_>| matches!((one, other), (Ok(one), Ok(other)) if one == other);
        self.size() == other.size() && same(header(self.path()), header(other.path()))
    }
}

/// A hash of the normal form of a reference.
fn key(reference: &Reference) -> NonZeroU64 {
    let mut hasher = DefaultHasher::new();
    reference.to_string().hash(&mut hasher);
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}

impl Place<'_> {
    /// The state of a file, and the damage to its root file system. `located` is the result of a
    /// job's path lookup, if a reference leads to its name.
    fn state(
        &self,
        path: &Path,
        name: Option<&str>,
        located: Option<Result<Metadata, State>>,
        metadata: Option<&Metadata>,
    ) -> (State, Option<Damage>) {
        match (located, name) {
            (Some(Err(state)), _) => (state, None),
            (Some(Ok(found)), Some(name)) => self.candidate(name, path, &found),
            _ => {
                let state = content(path, metadata);
                let is_image = state == State::Image;
                (state, is_image.then(|| squashfs::check(path).err()).flatten())
            }
        }
    }

    /// The state of a candidate that a job can reach, and the damage to its root file system.
    fn candidate(&self, name: &str, path: &Path, found: &Metadata) -> (State, Option<Damage>) {
        if !found.is_file() {
            return (State::NotAFile(trust::kind(found)), None);
        }
        if self.architecture != host_architecture() {
            let state = architecture::check(self.root, name, self.architecture);
            let is_image = state == State::Image;
            return (state, is_image.then(|| squashfs::check(path).err()).flatten());
        }
        let identity = (found.dev(), found.ino());
        let valid = || self.valid.lock().unwrap_or_else(PoisonError::into_inner);
        if found.nlink() > 1 && valid().contains(&identity) {
            return (State::Image, None);
        }
        match open_image(path) {
            Ok((file, content)) => {
                let damage = squashfs::check_open(file, &content).err();
                if found.nlink() > 1 && damage.is_none() {
                    valid().insert(identity);
                }
                (State::Image, damage)
            }
            Err(state) => (state, None),
        }
    }
}

/// Opens an image for this host, as a job does.
fn open_image(path: &Path) -> Result<(fs::File, image::Content), State> {
    // The file may have been replaced by a FIFO, and opening a FIFO must not block.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(State::NotAFile(trust::kind(&metadata)));
    }
    let content = image::inspect_for(&mut file, metadata.len(), host_architecture())?;
    Ok((file, content))
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
