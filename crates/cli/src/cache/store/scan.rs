//! Finds every file under an image root and the images among them.

use super::STATE;
use super::file::{self, Directory, File, Files};
use super::metadata::Record;
use super::names;
use super::other_roots::OtherRoots;
use crate::cache::image_name;
use jiff::Timestamp;
use rayon::prelude::*;
use sifcache_core::reference::Reference;
use sifcache_core::sif;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of files that a thread reads in a row.
const PART: usize = 64;

/// An image with all names of its file.
#[derive(Debug)]
pub(crate) struct Image {
    /// Its names relative to the root, sorted.
    pub(crate) names: Vec<String>,
    /// Size of the file in bytes.
    pub(crate) size: u64,
    /// The Go name of its architecture.
    pub(crate) architecture: &'static str,
    /// The modification time of the file.
    pub(crate) modified: Timestamp,
    /// The record of the image, if there is one.
    pub(crate) record: Option<Record>,
}

impl Image {
    /// The references that lead to this image: those with a tag first, then those with a digest.
    pub(crate) fn references(&self) -> Vec<Reference> {
        image_name::references(self.names.iter().map(String::as_str))
    }

    /// The name for display: the short form of the first reference, else the first name.
    pub(crate) fn title(&self) -> String {
        let first = self.references().first().map(image_name::short);
        first.or_else(|| self.names.first().cloned()).unwrap_or_default()
    }

    /// The digests under which the image is known to have been pulled. `references` are the
    /// references that lead to the image.
    pub(crate) fn digests(&self, references: &[Reference]) -> Vec<String> {
        digests(self.record.as_ref(), references)
    }

    /// Whether it has a tag of a registry, which may move, and a digest to compare the tag with.
    pub(crate) fn has_tag(&self) -> bool {
        let references = self.references();
        let is_tag = |one: &Reference| one.digest().is_none() && one.transport().is_registry();
        references.iter().any(is_tag) && !self.digests(&references).is_empty()
    }

    /// When the image was added to the cache: from its record, else the modification time.
    pub(crate) fn added(&self) -> Timestamp {
        self.record.as_ref().map_or(self.modified, |record| record.added)
    }
}

/// The digests in a record, then those in the names of the same file.
fn digests<'a>(
    record: Option<&Record>,
    references: impl IntoIterator<Item = &'a Reference>,
) -> Vec<String> {
    let mut digests = record.map(|record| record.digests.clone()).unwrap_or_default();
    for digest in references.into_iter().filter_map(Reference::digest) {
        if !digests.iter().any(|recorded| recorded == digest) {
            digests.push(digest.to_owned());
        }
    }
    digests
}

/// A file that may be an image, with all its names.
#[derive(Debug)]
pub(crate) struct Unread {
    /// Its names relative to the root, sorted, with the references that lead a job to each.
    pub(crate) names: Vec<(String, Reference)>,
    /// The digests under which the file is known to have been pulled.
    pub(crate) digests: Vec<String>,
}

/// Finds every file under `root`, except those of the other image roots. This takes one system call
/// for each name.
///
/// # Errors
/// A directory cannot be read: its path and the cause.
pub(crate) fn files(root: &Path, others: &OtherRoots) -> Result<Files, (PathBuf, io::Error)> {
    Ok(Files::of(root, names::names(root, others)?, &|| ()))
}

/// Like [`files`], for a caller who may not read every directory: those that are closed to the
/// caller are added to `closed`. Calls `progress` for each name.
///
/// # Errors
/// A directory cannot be read for another reason: its path and the cause.
pub(crate) fn accessible_files(
    root: &Path,
    others: &OtherRoots,
    progress: &(dyn Fn() + Sync),
    closed: &mut Vec<PathBuf>,
) -> Result<Files, (PathBuf, io::Error)> {
    Ok(Files::of(root, names::accessible_names(root, others, progress, closed)?, progress))
}

/// The files of those of the given names under `root` that exist.
pub(crate) fn files_of(root: &Path, names: &[String], progress: &(dyn Fn() + Sync)) -> Files {
    Files::of(root, names::Names::of(names), progress)
}

/// Reads each file and passes each image to `take` with the index of its file, in parallel. Returns
/// the results in the order of the first names, and the number of names that do not lead to an
/// image. Does not check whether ordinary users could have written the files.
///
/// This takes three system calls for each image. They read its record, which shows that the file is
/// an image, or its header if no record can be used.
pub(crate) fn each<T: Send>(
    root: &Path,
    files: &Files,
    take: &(impl Fn(usize, Image) -> Option<T> + Sync),
) -> (Vec<T>, usize) {
    let (images, others) = each_of(root, files, &|_| true, take);
    (images, others + files.others)
}

/// Like [`each`], for the files for whose index `wanted` returns true. Other files are not read,
/// and names that are not those of a regular file are not counted.
pub(crate) fn each_of<T: Send>(
    root: &Path,
    files: &Files,
    wanted: &(impl Fn(usize) -> bool + Sync),
    take: &(impl Fn(usize, Image) -> Option<T> + Sync),
) -> (Vec<T>, usize) {
    let others = AtomicUsize::new(0);
    let part = |(number, part): (usize, &[File])| {
        let mut reader = Reader::new(root, files);
        let image = |(index, file)| match reader.image(file) {
            Ok(image) => take(index, image),
            Err(names) => {
                others.fetch_add(names, Ordering::Relaxed);
                None
            }
        };
        let files = (number * PART..).zip(part);
        files.filter(|(index, _)| wanted(*index)).filter_map(image).collect::<Vec<T>>()
    };
    let images = files.files().par_chunks(PART).enumerate().flat_map_iter(part).collect();
    (images, others.into_inner())
}

/// The images under `root`, sorted by their first names: [`files`] and [`each`].
///
/// # Errors
/// A directory cannot be read: its path and the cause.
pub(crate) fn images(root: &Path, others: &OtherRoots) -> Result<Vec<Image>, (PathBuf, io::Error)> {
    Ok(each(root, &files(root, others)?, &|_, image| Some(image)).0)
}

/// Every file under `root` with a name that a reference leads to. Does not read the headers: for a
/// caller that checks each file as a job does.
///
/// # Errors
/// A directory cannot be read: its path and the cause.
pub(crate) fn unread(
    root: &Path,
    others: &OtherRoots,
) -> Result<Vec<Unread>, (PathBuf, io::Error)> {
    let files = files(root, others)?;
    let part = |part: &[File]| {
        let mut reader = Reader::new(root, &files);
        part.iter().map(|file| reader.unread(file)).collect::<Vec<_>>()
    };
    Ok(files.files().par_chunks(PART).flat_map_iter(part).collect())
}

/// Reads files, usually several of one directory in a row.
struct Reader<'a> {
    files: &'a Files,
    images: Directory,
    /// `None` if the root has no records.
    records: Option<Directory>,
}

impl<'a> Reader<'a> {
    fn new(root: &Path, files: &'a Files) -> Self {
        let records = root.join(STATE).join("metadata");
        let records = records.is_dir().then(|| Directory::below(records));
        Self { files, images: Directory::below(root.to_owned()), records }
    }

    /// The image, or, if the file is not an image, the number of its names.
    fn image(&mut self, file: &File) -> Result<Image, usize> {
        let names: Vec<String> = self.files.all_names(file).map(str::to_owned).collect();
        let record = self.record(file);
        // A record may be too old to contain the architecture.
        let of_record =
            record.as_ref().and_then(|record| sif::known_architecture(&record.architecture));
        let first = names.first().map_or("", String::as_str);
        let of_header = || file::architecture(&mut self.images, first, file.size);
        let (size, modified) = (file.size, file.modified);
        match of_record.or_else(of_header) {
            Some(architecture) => Ok(Image { names, size, architecture, modified, record }),
            None => Err(names.len()),
        }
    }

    fn unread(&mut self, file: &File) -> Unread {
        let record = self.record(file);
        let with_reference = |name: &str| Some((name.to_owned(), image_name::reference(name)?));
        let names: Vec<(String, Reference)> =
            self.files.all_names(file).filter_map(with_reference).collect();
        let digests = digests(record.as_ref(), names.iter().map(|(_, reference)| reference));
        Unread { names, digests }
    }

    /// The record of a file, under any of its names.
    fn record(&mut self, file: &File) -> Option<Record> {
        let records = self.records.as_mut()?;
        let load = |name: &str| Record::load_below(records, name, file.size, file.modified);
        self.files.all_names(file).find_map(load)
    }
}

#[cfg(test)]
mod tests {
    use super::{OtherRoots, Unread, each, files, images, unread};
    use crate::cache::store::metadata;
    use crate::cache::store::tests::{sif, store};
    use sif_fixture::SMALLEST;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn one_image_with_all_its_names() {
        let (_directory, store) = store();
        let digest = format!("sha256:{}", "0f".repeat(32));
        sif(&store.path("o/i:1"), 1);
        fs::hard_link(store.path("o/i:1"), store.path(&format!("o/i@{digest}"))).unwrap();
        symlink("i:1", store.path("o/i:stable")).unwrap();
        fs::write(store.path("o/README"), "read").unwrap();
        let files = files(store.root(), &OtherRoots::default()).unwrap();
        let (images, others) = each(store.root(), &files, &|index, image| Some((index, image)));
        assert_eq!((images.len(), others), (1, 1));
        let (index, image) = &images[0];
        assert!(files.names_of(*index).eq(&image.names));
        assert_eq!(image.names, ["o/i:1", "o/i:stable", &format!("o/i@{digest}")]);
        assert_eq!((image.title(), image.size), ("o/i:1".to_owned(), SMALLEST));
        assert_eq!(image.digests(&image.references()), [digest]);
    }

    #[test]
    fn files_with_the_references_of_their_names() {
        let (_directory, store) = store();
        let digest = format!("sha256:{}", "0f".repeat(32));
        sif(&store.path("o/i:1"), 1);
        fs::hard_link(store.path("o/i:1"), store.path(&format!("o/i@{digest}"))).unwrap();
        fs::write(store.path("o/j:1"), "not an image").unwrap();
        fs::write(store.path("o/README"), "no reference").unwrap();
        let files = unread(store.root(), &OtherRoots::default()).unwrap();
        let names = |file: &Unread| file.names.iter().map(|(name, _)| name.clone()).collect();
        let names: Vec<Vec<String>> = files.iter().map(names).collect();
        let pinned = format!("o/i@{digest}");
        assert_eq!(names, [vec![], vec!["o/i:1".to_owned(), pinned], vec!["o/j:1".to_owned()]]);
        assert_eq!(files[1].digests, [digest]);
        assert_eq!(files[1].names[0].1.to_string(), "docker.io/o/i:1");
    }

    /// An image with an unusable record is recognized by its header.
    #[test]
    fn an_unusable_record_is_ignored() {
        let (_directory, store) = store();
        sif(&store.path("o/i:1"), 1);
        let record = metadata::path(store.root(), "o/i:1");
        fs::create_dir_all(record.parent().unwrap()).unwrap();
        fs::write(record, "{}").unwrap();
        let images = images(store.root(), &OtherRoots::default()).unwrap();
        assert_eq!((images.len(), &images[0].record), (1, &None));
    }
}
