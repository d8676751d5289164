//! Selects the images of the cache that a subcommand works on.

use crate::cache::image_name;
use crate::cache::store::STATE;
use crate::cache::store::file::Files;
use crate::cache::store::other_roots::OtherRoots;
use crate::cache::store::scan::{self, Image};
use crate::cache::usage::UsageIndex;
use crate::error::Failure;
use crate::site;
use jiff::{SignedDuration, Timestamp};
use sifcache_core::candidate;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::io;
use std::path::{Path, PathBuf};

/// An image root and its images.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// The path of the root.
    pub(crate) root: PathBuf,
    /// Sorted by their first names.
    pub(crate) images: Vec<Image>,
    /// When the images last served a job.
    pub(crate) usage: UsageIndex,
}

/// Scans an image root, without the files of the site's other roots. A root that does not exist counts
/// as empty, because a node may lack it.
///
/// # Errors
/// A directory cannot be read.
pub(crate) fn inventory(settings: &Settings, root: &Path) -> Result<Inventory, Failure> {
    let images =
        scan::each(root, &files(root, &OtherRoots::of(settings, root))?, &|_, image| Some(image)).0;
    let usage = UsageIndex::load(root);
    Ok(Inventory { root: root.to_owned(), images, usage })
}

/// Finds the files under an image root, without those of other roots. A root that does not exist
/// counts as empty.
///
/// # Errors
/// A directory cannot be read.
fn files(root: &Path, others: &OtherRoots) -> Result<Files, Failure> {
    match scan::files(root, others) {
        Err((path, error)) if path == root && error.kind() == io::ErrorKind::NotFound => {
            Ok(Files::default())
        }
        other => other.map_err(|(path, error)| Failure::read(&path, error)),
    }
}

/// Like [`files`], without the directories that the caller may not read.
///
/// # Errors
/// A directory cannot be read for another reason.
pub(crate) fn accessible_files(root: &Path, others: &OtherRoots) -> Result<Files, Failure> {
    match scan::accessible_files(root, others, &|| (), &mut Vec::new()) {
        Err((path, error)) if path == root && error.kind() == io::ErrorKind::NotFound => {
            Ok(Files::default())
        }
        other => other.map_err(|(path, error)| Failure::read(&path, error)),
    }
}

impl Inventory {
    /// When the image last served a job under any of its names, if that is known.
    pub(crate) fn last_used(&self, image: &Image) -> Option<Timestamp> {
        image.names.iter().filter_map(|name| self.usage.last(name)).max()
    }

    /// When a pull last created a link to the image, if that is known.
    pub(crate) fn last_link(&self, image: &Image) -> Option<Timestamp> {
        image.names.iter().filter_map(|name| self.usage.last_link(name)).max()
    }
}

/// Conditions that narrow down a list of images. An image must meet all of those that are set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// A repository or a leading part of it, in whole path components: `determinedai`.
    pub(crate) repository: Option<String>,
    /// The image was added to the cache longer ago than this.
    pub(crate) older_than: Option<SignedDuration>,
    /// The file is larger than this, in bytes.
    pub(crate) larger_than: Option<u64>,
}

impl Filter {
    /// Whether the image meets the conditions.
    pub(crate) fn takes(&self, image: &Image, now: Timestamp) -> bool {
        self.takes_as(image, &image.references(), now)
    }

    /// Like [`Self::takes`], for an image whose references do not follow from its names.
    pub(crate) fn takes_as(&self, image: &Image, references: &[Reference], now: Timestamp) -> bool {
        let older = |age: SignedDuration| now.duration_since(image.added()) > age;
        self.repository.as_ref().is_none_or(|repository| is_any_of(references, repository))
            && self.older_than.is_none_or(older)
            && self.larger_than.is_none_or(|size| image.size > size)
    }
}

fn is_any_of(references: &[Reference], repository: &str) -> bool {
    let repository = repository.trim_end_matches('/');
    let is = |name: String| {
        name.strip_prefix(repository).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let of = |one: &Reference| is(one.short_repository()) || is(one.full_repository());
    references.iter().any(of)
}

/// The names of the files under `root` that the reference `word` leads to. If `word` is the
/// absolute path of a file under `root`, the result is only the name of that file, so a file can
/// also be selected if no reference leads to it. The result is empty if no file under `root` has
/// such a name, or if the file belongs to another root below `root`.
///
/// # Errors
/// `word` is neither a valid reference nor the path of a file that can be an image of a root.
pub(crate) fn names(settings: &Settings, root: &Path, word: &str) -> Result<Vec<String>, Failure> {
    if Path::new(word).is_absolute() {
        return name_of_file(settings, root, site::plain(Path::new(word))?);
    }
    let reference = image_name::parse(word)?;
    let others = OtherRoots::of(settings, root);
    let is_there = |name: &String| is_file(&root.join(name)) && is_own(&others, root, name);
    Ok(candidate::names(&reference).into_iter().filter(is_there).collect())
}

/// The name of the file with this path, if there is such a file under `root`.
fn name_of_file(settings: &Settings, root: &Path, path: PathBuf) -> Result<Vec<String>, Failure> {
    let is_below = |root: &PathBuf| path.starts_with(root) && !site::has_parents(&path);
    if !settings.image_roots.iter().any(is_below) {
        let is_foreign = settings.foreign_roots.iter().any(|one| path.starts_with(&one.path));
        return Err(match is_foreign {
            true => Failure::not_in_own_root("", path, settings),
            false => Failure::OutsideRoots(path),
        });
    }
    let (Ok(name), Ok(metadata)) = (path.strip_prefix(root), path.symlink_metadata()) else {
        return Ok(Vec::new());
    };
    // Its files are not images, and a directory may contain any number of images.
    if name.starts_with(STATE) {
        return Err(Failure::NotAnImage { path, what: "part of the state of sifcache" });
    }
    if metadata.is_dir() {
        return Err(Failure::NotAnImage { path, what: "a directory" });
    }
    let others = OtherRoots::of(settings, root);
    let name = name.to_str().filter(|name| is_own(&others, root, name));
    Ok(name.map(str::to_owned).into_iter().collect())
}

/// Whether the file called `name` under `root` does not belong to another root.
fn is_own(others: &OtherRoots, root: &Path, name: &str) -> bool {
    root.join(name).parent().and_then(|directory| others.around(directory)).is_none()
}

fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir())
}
