//! What lies under an image root: every file, and the images among them.

use super::STATE;
use super::known::{Known, modified};
use crate::spelling;
use jiff::Timestamp;
use rayon::prelude::*;
use rustix::fs::OFlags;
use sifcache_core::reference::Reference;
use sifcache_core::sif;
use std::collections::BTreeMap;
use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The names of all that is no directory under `root`, in order, but for our own.
/// Links to directories are followed, as a look-up does.
///
/// # Errors
/// A directory that cannot be read: with its path.
pub(crate) fn names(root: &Path) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let walk = WalkDir::new(root).min_depth(1).follow_links(true).into_iter();
    let mut names = Vec::new();
    for entry in walk.filter_entry(|e| !(e.depth() == 1 && e.file_name() == STATE)) {
        let path = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => entry.into_path(),
            Err(error) => match broken_link(&error) {
                Some(path) => path,
                None => return Err(unreadable(root, error)),
            },
        };
        names.extend(path.strip_prefix(root).map(Path::to_owned));
    }
    names.sort();
    Ok(names)
}

/// A link that leads nowhere, in a circle, or to where we may not go.
fn broken_link(error: &walkdir::Error) -> Option<PathBuf> {
    let path = error.path()?;
    (error.loop_ancestor().is_some() || path.is_symlink()).then(|| path.to_owned())
}

fn unreadable(root: &Path, error: walkdir::Error) -> (PathBuf, io::Error) {
    let path = error.path().unwrap_or(root).to_owned();
    let source = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
    // A file that has gone meanwhile is no failure of the walk as a whole.
    (path, source)
}

/// An image, with all names that one file has.
#[derive(Debug)]
pub(crate) struct Image {
    /// Its names under the root, in order.
    pub(crate) names: Vec<String>,
    /// Its size, in bytes.
    pub(crate) size: u64,
    /// Go's name of the architecture it is for.
    pub(crate) architecture: &'static str,
    /// When the file was last modified.
    pub(crate) modified: Timestamp,
    /// What is known beyond the file.
    pub(crate) known: Option<Known>,
}

impl Image {
    /// The references that lead to it: those with a tag before those with a digest.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let mut all: Vec<Reference> =
            self.names.iter().filter_map(|name| spelling::reference(name)).collect();
        all.sort_by_key(|reference| reference.digest().is_some());
        all
    }

    /// What people would call it: its first reference, else its first name.
    pub(crate) fn title(&self) -> String {
        let first = self.references().first().map(spelling::short);
        first.or_else(|| self.names.first().cloned()).unwrap_or_default()
    }

    /// The digests that it was pulled under, as far as they are known.
    pub(crate) fn digests(&self) -> Vec<String> {
        let mut digests =
            self.known.as_ref().map(|known| known.digests.clone()).unwrap_or_default();
        for reference in self.references() {
            match reference.digest() {
                Some(digest) if !digests.iter().any(|known| known == digest) => {
                    digests.push(digest.to_owned());
                }
                _ => {}
            }
        }
        digests
    }

    /// Looks for a record under any of its names.
    fn recall(&mut self, root: &Path) {
        let (size, modified) = (self.size, self.modified);
        self.known = self.names.iter().find_map(|name| Known::load(root, name, size, modified));
    }

    /// When it came into the cache.
    pub(crate) fn added(&self) -> Timestamp {
        self.known.as_ref().map_or(self.modified, |known| known.added)
    }
}

/// The images under a root, and how many files there are no images.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// In the order of their first names.
    pub(crate) images: Vec<Image>,
    /// Files that are none.
    pub(crate) others: usize,
}

/// Looks at every file under `root`. Whether users could have written them is not asked.
///
/// # Errors
/// A directory that cannot be read.
pub(crate) fn images(root: &Path) -> Result<Scan, (PathBuf, io::Error)> {
    let looked: Vec<Option<Look>> = names(root)?.par_iter().map(|name| look(root, name)).collect();
    let mut files: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    let mut scan = Scan::default();
    for look in looked {
        let Some(look) = look else {
            scan.others += 1;
            continue;
        };
        let next = scan.images.len();
        let index = *files.entry((look.metadata.dev(), look.metadata.ino())).or_insert(next);
        match scan.images.get_mut(index) {
            Some(image) => image.names.push(look.name),
            None => scan.images.extend(look.image()),
        }
    }
    scan.images.par_iter_mut().for_each(|image| image.recall(root));
    Ok(scan)
}

struct Look {
    name: String,
    metadata: Metadata,
    architecture: &'static str,
}

impl Look {
    fn image(self) -> Option<Image> {
        Some(Image {
            size: self.metadata.len(),
            modified: modified(&self.metadata)?,
            names: vec![self.name],
            architecture: self.architecture,
            known: None,
        })
    }
}

/// Open, look, read, close: a cache has thousands of files.
fn look(root: &Path, name: &Path) -> Option<Look> {
    let name = name.to_str()?;
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(root.join(name)).ok()?;
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    modified(&metadata)?;
    let mut header = [0; sif::HEADER];
    file.read_exact(&mut header).ok()?;
    let header = sif::parse(&header).ok().filter(|header| header.data_end <= metadata.len())?;
    Some(Look { name: name.to_owned(), metadata, architecture: header.architecture })
}

#[cfg(test)]
mod tests {
    use super::{images, names};
    use crate::store::tests::{sif, store};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn every_file_and_none_of_ours() {
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
        assert_eq!((image.title(), image.size), ("o/i:1".to_owned(), 128));
        assert_eq!(image.digests(), [digest]);
    }
}
