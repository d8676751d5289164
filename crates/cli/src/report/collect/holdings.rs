//! The images of the image roots, in little memory, and found by their paths: a cache can contain
//! hundreds of thousands of images.

use crate::cache::select;
use crate::cache::store::file::{ByName, Files};
use crate::cache::store::retention;
use crate::cache::store::scan;
use crate::cache::usage::UsageIndex;
use jiff::Timestamp;
use sifcache_core::settings::Settings;
use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use walkdir::WalkDir;

/// All image roots.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    /// Those that sifcache fills.
    pub(crate) roots: Vec<Held>,
    /// The directories of those that other tools fill.
    foreign: Vec<PathBuf>,
}

/// An image root.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) path: PathBuf,
    files: Files,
    by_name: ByName,
    /// The image of each file; `None` if the file is not an image.
    images: Vec<Option<Facts>>,
    /// The number of names that do not lead to an image.
    pub(crate) invalid_files: usize,
    /// When the images last served a job.
    pub(crate) usage: UsageIndex,
    /// The sizes of removed images that are still kept, by name.
    removed: HashMap<String, u64>,
    /// Why the root could not be read.
    pub(crate) error: Option<String>,
}

/// An image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The size of the file in bytes.
    pub(crate) size: u64,
    pub(crate) added: Timestamp,
}

/// What is known about the file at a path in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// An image in an image root that sifcache fills.
    Image(Facts),
    /// A file of this size in an image root that another tool fills.
    Foreign(u64),
    /// An image that was removed, and had this size.
    Removed(u64),
    /// Nothing is known.
    Unknown,
}

impl Found {
    /// The size of the file in bytes.
    pub(crate) fn size(self) -> Option<u64> {
        match self {
            Self::Image(facts) => Some(facts.size),
            Self::Foreign(size) | Self::Removed(size) => Some(size),
            Self::Unknown => None,
        }
    }
}

impl Holdings {
    /// Reads all image roots, except those for which `dead` says why they cannot be read.
    pub(crate) fn read(settings: &Settings, dead: &dyn Fn(&Path) -> Option<String>) -> Self {
        let root = |path: &PathBuf| match dead(path) {
            None => Held::read(path),
            Some(why) => Held::unread(path, why),
        };
        let foreign = settings.foreign_roots.iter().map(|root| &root.path);
        Self {
            roots: settings.image_roots.iter().map(root).collect(),
            foreign: foreign.filter(|path| dead(path).is_none()).cloned().collect(),
        }
    }

    /// What is known about the file at this path. A log can contain any path, so only paths in an
    /// image root are looked at.
    pub(crate) fn find(&self, path: &Path) -> Found {
        let inside = |root: &Path| {
            let name = path.strip_prefix(root).ok()?;
            let is_plain = name.components().all(|part| matches!(part, Component::Normal(_)));
            name.to_str().filter(|_| is_plain)
        };
        let of_root = |root: &Held| inside(&root.path).map(|name| root.find(name));
        let known = |found: &Found| *found != Found::Unknown;
        if let Some(found) = self.roots.iter().filter_map(of_root).find(known) {
            return found;
        }
        if self.foreign.iter().any(|root| inside(root).is_some())
            && let Ok(metadata) = fs::metadata(path)
            && metadata.is_file()
        {
            return Found::Foreign(metadata.len());
        }
        Found::Unknown
    }
}

impl Held {
    fn read(path: &Path) -> Self {
        let mut held = Self::unread(path, String::new());
        let files = match path.is_dir() {
            true => select::accessible_files(path).map_err(|failure| failure.to_string()),
            false => Err("it is not a directory, or does not exist".to_owned()),
        };
        match files {
            Err(why) => return Self { error: Some(why), ..held },
            Ok(files) => held.files = files,
        }
        held.error = None;
        held.by_name = held.files.by_name();
        held.images = vec![None; held.files.len()];
        let facts = |index, image: scan::Image| {
            Some((index, Facts { size: image.size, added: image.added() }))
        };
        let (images, others) = scan::each(path, &held.files, &facts);
        for (index, facts) in images {
            held.images.get_mut(index).into_iter().for_each(|image| *image = Some(facts));
        }
        held.invalid_files = others;
        held.usage = UsageIndex::load(path);
        held.removed = removed(path);
        held
    }

    fn unread(path: &Path, why: String) -> Self {
        Self {
            path: path.to_owned(),
            files: Files::default(),
            by_name: ByName::default(),
            images: Vec::new(),
            invalid_files: 0,
            usage: UsageIndex::default(),
            removed: HashMap::new(),
            error: Some(why),
        }
    }

    fn find(&self, name: &str) -> Found {
        let index = self.files.find(&self.by_name, name);
        if let Some(facts) = index.and_then(|index| self.image(index)) {
            return Found::Image(facts);
        }
        self.removed.get(name).map_or(Found::Unknown, |size| Found::Removed(*size))
    }

    /// The images, each with the index of its file.
    pub(crate) fn images(&self) -> impl Iterator<Item = (usize, Facts)> {
        let image = |(index, facts): (usize, &Option<Facts>)| Some((index, (*facts)?));
        self.images.iter().enumerate().filter_map(image)
    }

    /// The image with this index.
    pub(crate) fn image(&self, index: usize) -> Option<Facts> {
        self.images.get(index).copied().flatten()
    }

    /// The size of the image with this index; 0 if there is none.
    pub(crate) fn size(&self, index: usize) -> u64 {
        self.image(index).map_or(0, |image| image.size)
    }

    /// The names of the file with this index, sorted.
    pub(crate) fn names(&self, index: usize) -> impl Iterator<Item = &str> {
        self.files.names_of(index)
    }

    /// When the image of this file last served a job, if that is known.
    pub(crate) fn last_used(&self, index: usize) -> Option<Timestamp> {
        self.names(index).filter_map(|name| self.usage.last(name)).max()
    }
}

/// The sizes of removed images that are still kept, by name. Of several that had the same name, the
/// largest counts.
fn removed(root: &Path) -> HashMap<String, u64> {
    let mut sizes: HashMap<String, u64> = HashMap::new();
    for (directory, _) in retention::list(root) {
        for entry in WalkDir::new(&directory).into_iter().flatten() {
            let name = entry.path().strip_prefix(&directory).ok().and_then(Path::to_str);
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file);
            if let (Some(name), Some(metadata)) = (name, metadata) {
                let size = sizes.entry(name.to_owned()).or_default();
                *size = metadata.len().max(*size);
            }
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::{Found, Held, Holdings};
    use crate::cache::store::retention::Retention;
    use crate::cache::store::tests::{sif, store};
    use jiff::SignedDuration;
    use sif_fixture::SMALLEST;
    use sifcache_core::settings::Settings;
    use std::fs;
    use std::path::Path;

    #[test]
    fn images_are_found_by_all_of_their_names() {
        let (_directory, store) = store();
        let elsewhere = tempfile::tempdir().unwrap();
        sif(&store.path("o/i:1"), 1);
        fs::hard_link(store.path("o/i:1"), store.path("o/i:2")).unwrap();
        fs::write(store.path("o/README"), "text").unwrap();
        sif(&store.path("o/gone:1"), 1);
        let retention = Retention::new(SignedDuration::from_hours(48));
        retention.take(&store, "o/gone:1").unwrap();
        let foreign = elsewhere.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("i.img"), "image").unwrap();
        let line = format!("image_root={}:nextflow={}", store.root().display(), foreign.display());
        let settings = Settings::parse(&[line.as_bytes()]).unwrap();
        let holdings = Holdings::read(&settings, &|_| None);
        let find = |name: &str| holdings.find(&store.root().join(name));
        assert_eq!(find("o/i:1").size(), Some(SMALLEST));
        assert_eq!(find("o/i:2"), find("o/i:1"));
        assert_eq!(find("o/gone:1"), Found::Removed(SMALLEST));
        for other in ["o/README", "o/none", "o/../o/i:1", "/etc/passwd", ".sifcache/last_used.json"]
        {
            assert_eq!(find(other), Found::Unknown, "{other}");
        }
        assert_eq!(holdings.find(&foreign.join("i.img")), Found::Foreign(5));
        assert_eq!(holdings.find(&foreign.join("../foreign/i.img")), Found::Unknown);
        let root: &Held = &holdings.roots[0];
        assert_eq!((root.images().count(), root.invalid_files), (1, 1));
        assert_eq!(root.names(0).collect::<Vec<_>>(), ["o/README"]);
    }

    #[test]
    fn a_root_that_cannot_be_read_is_named() {
        let settings = Settings::parse(&["image_root=/no/such/root:/dead"]).unwrap();
        let dead = |path: &Path| path.ends_with("dead").then(|| "no answer".to_owned());
        let roots = Holdings::read(&settings, &dead).roots;
        let errors: Vec<&str> = roots.iter().filter_map(|root| root.error.as_deref()).collect();
        assert_eq!(errors, ["it is not a directory, or does not exist", "no answer"]);
    }
}
