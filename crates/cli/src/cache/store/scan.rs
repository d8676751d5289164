//! Finds every file under an image root and the images among them.

use super::STATE;
use super::file::{self, File};
use super::metadata::{self, Record};
use crate::cache::image_name;
use jiff::Timestamp;
use rayon::prelude::*;
use rustix::fs::CWD;
use sifcache_core::reference::Reference;
use sifcache_core::sif;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The sorted names, relative to `root`, of everything under it that is not a directory, except
/// `.sifcache`. Symbolic links to directories are followed, as in a lookup.
///
/// # Errors
/// If a directory cannot be read: its path and the cause.
pub(crate) fn names(root: &Path) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let walk = WalkDir::new(root).min_depth(1).follow_links(true).into_iter();
    let mut names = Vec::new();
    for entry in walk.filter_entry(|e| !(e.depth() == 1 && e.file_name() == STATE)) {
        let path = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => entry.into_path(),
            Err(error) if has_vanished(&error) => continue,
            Err(error) => match broken_link(&error) {
                Some(path) => path,
                None => return Err(unreadable(root, error)),
            },
        };
        names.extend(path.strip_prefix(root).map(Path::to_owned));
    }
    // Paths are compared as bytes, because comparing them by component takes longer than finding
    // them.
    names.sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    Ok(names)
}

/// The path of a symbolic link that is dangling or part of a cycle, or that leads to a place that
/// the caller cannot access.
fn broken_link(error: &walkdir::Error) -> Option<PathBuf> {
    let path = error.path()?;
    (error.loop_ancestor().is_some() || path.is_symlink()).then(|| path.to_owned())
}

/// Whether an entry was removed during the walk. A root that does not exist is an error.
fn has_vanished(error: &walkdir::Error) -> bool {
    let is_gone = || error.io_error().is_some_and(|e| e.kind() == io::ErrorKind::NotFound);
    error.depth() > 0 && is_gone() && error.path().is_none_or(|path| !path.is_symlink())
}

fn unreadable(root: &Path, error: walkdir::Error) -> (PathBuf, io::Error) {
    let path = error.path().unwrap_or(root).to_owned();
    let source = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
    (path, source)
}

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
        let mut all: Vec<Reference> =
            self.names.iter().filter_map(|name| image_name::reference(name)).collect();
        all.sort_by_key(|reference| reference.digest().is_some());
        all
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

/// The images under a root, and the number of other files.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Sorted by their first names.
    pub(crate) images: Vec<Image>,
    /// The number of names that do not lead to an image.
    pub(crate) others: usize,
}

/// Examines every file under `root`. Does not check whether ordinary users could have written
/// them.
///
/// This takes one system call for each name and three more for each image. Those three read its
/// record, which shows that the file is an image, or its header if no record can be used.
///
/// # Errors
/// If a directory cannot be read: its path and the cause.
pub(crate) fn images(root: &Path) -> Result<Scan, (PathBuf, io::Error)> {
    let names = names(root)?;
    let recorded = metadata::names(root);
    // A record contains more information than the header.
    let looked = file::look(root, &names, &|name| !recorded.contains(name));
    let mut others = looked.iter().filter(|file| file.is_none()).count();
    let files = merge_names(looked.into_iter().flatten());
    let images: Vec<Result<Image, usize>> =
        files.into_par_iter().map(|file| image(file, root, &recorded)).collect();
    others += images.iter().map(|image| image.as_ref().err().copied().unwrap_or(0)).sum::<usize>();
    Ok(Scan { images: images.into_iter().flatten().collect(), others })
}

/// Every file under `root` with a name that a reference leads to. Does not read the headers: for a
/// caller that checks each file as a job does.
///
/// # Errors
/// If a directory cannot be read: its path and the cause.
pub(crate) fn unread(root: &Path) -> Result<Vec<Unread>, (PathBuf, io::Error)> {
    let names = names(root)?;
    let recorded = metadata::names(root);
    let files = merge_names(file::look(root, &names, &|_| false).into_iter().flatten());
    let unread = |file: File| {
        let record = record(&file, root, &recorded);
        let with_reference = |name: String| {
            let reference = image_name::reference(&name)?;
            Some((name, reference))
        };
        let names: Vec<(String, Reference)> =
            file.names.into_iter().filter_map(with_reference).collect();
        let digests = digests(record.as_ref(), names.iter().map(|(_, reference)| reference));
        Unread { names, digests }
    };
    Ok(files.into_par_iter().map(unread).collect())
}

/// The record of a file, under any of its names.
fn record(file: &File, root: &Path, recorded: &HashSet<String>) -> Option<Record> {
    let mut with_record = file.names.iter().filter(|name| recorded.contains(*name));
    with_record.find_map(|name| Record::load(root, name, file.size, file.modified))
}

/// Merges the entries of the same file into one with all its names. The result is sorted by the
/// first names.
fn merge_names(looked: impl Iterator<Item = File>) -> Vec<File> {
    let mut places: HashMap<(u64, u64), usize> = HashMap::new();
    let mut files: Vec<File> = Vec::new();
    for file in looked {
        let next = files.len();
        let index = *places.entry(file.place).or_insert(next);
        match files.get_mut(index) {
            Some(first) => {
                first.architecture = first.architecture.or(file.architecture);
                first.names.extend(file.names);
            }
            None => files.push(file),
        }
    }
    files
}

/// The image, or, if the file is not an image, the number of its names.
fn image(file: File, root: &Path, recorded: &HashSet<String>) -> Result<Image, usize> {
    let record = record(&file, root, recorded);
    let File { names, size, modified, architecture, .. } = file;
    let of_record =
        record.as_ref().and_then(|record| sif::known_architecture(&record.architecture));
    // A record may describe another file, or may be too old to contain the architecture.
    let unread = names.iter().all(|name| recorded.contains(name));
    let first = names.first().filter(|_| unread);
    let of_header = || first.and_then(|name| file::architecture(CWD, root.join(name), size));
    match of_record.or(architecture).or_else(of_header) {
        Some(architecture) => Ok(Image { names, size, architecture, modified, record }),
        None => Err(names.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Unread, images, names, unread};
    use crate::cache::store::tests::{sif, store};
    use sif_fixture::SMALLEST;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn all_files_except_the_hidden_directory_are_found() {
        let (_directory, store) = store();
        let elsewhere = tempfile::tempdir().unwrap();
        sif(&elsewhere.path().join("i:1"), 1);
        symlink(elsewhere.path(), store.path("linked")).unwrap();
        symlink("nowhere", store.path("dangling")).unwrap();
        symlink(store.root(), store.path("circle")).unwrap();
        sif(&store.path("o/i:1"), 2);
        fs::create_dir(store.path("empty")).unwrap();
        let found = names(store.root()).unwrap();
        assert_eq!(found, ["circle", "dangling", "linked/i:1", "o/i:1"].map(Path::new));
    }

    /// Another command removes a directory during the walk.
    #[test]
    fn vanished_entries_are_skipped() {
        let (_directory, store) = store();
        let changing = store.path("changing");
        std::thread::scope(|scope| {
            let walks = scope.spawn(|| (0..300).map(|_| names(store.root())).collect::<Vec<_>>());
            while !walks.is_finished() {
                for number in 0..20 {
                    fs::create_dir_all(changing.join(format!("{number}/x/y"))).unwrap();
                }
                fs::remove_dir_all(&changing).unwrap();
            }
            let errors: Vec<_> =
                walks.join().unwrap().into_iter().filter_map(Result::err).collect();
            assert!(errors.is_empty(), "{errors:?}");
        });
        assert!(names(&store.path("absent")).is_err(), "a root that does not exist");
    }

    #[test]
    fn one_image_with_all_its_names() {
        let (_directory, store) = store();
        let digest = format!("sha256:{}", "0f".repeat(32));
        sif(&store.path("o/i:1"), 1);
        fs::hard_link(store.path("o/i:1"), store.path(&format!("o/i@{digest}"))).unwrap();
        symlink("i:1", store.path("o/i:stable")).unwrap();
        fs::write(store.path("o/README"), "read").unwrap();
        let scan = images(store.root()).unwrap();
        assert_eq!((scan.images.len(), scan.others), (1, 1));
        let image = &scan.images[0];
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
        let files = unread(store.root()).unwrap();
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
        let record = super::metadata::path(store.root(), "o/i:1");
        fs::create_dir_all(record.parent().unwrap()).unwrap();
        fs::write(record, "{}").unwrap();
        let scan = images(store.root()).unwrap();
        assert_eq!((scan.images.len(), scan.others), (1, 0));
        assert_eq!(scan.images[0].record, None);
    }
}
