//! The images of the image roots, in little memory, and found by their paths: a cache can contain
//! hundreds of thousands of images.

mod sorted;

use crate::cache::runs::{self, Command, Tags};
use crate::cache::select;
use crate::cache::store::file::{ByName, Files};
use crate::cache::store::other_roots::OtherRoots;
use crate::cache::store::retention;
use crate::cache::store::scan;
use crate::cache::usage::{self, UsageIndex};
use crate::events::logs::Hits;
use crate::events::logs::read::Read;
use crate::inspect::file::File;
use crate::inspect::survey::Survey;
use jiff::Timestamp;
use rayon::prelude::*;
use sifcache_core::settings::Settings;
use sorted::Sorted;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
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
    /// When the images last served a job, as commands have saved it.
    pub(crate) usage: UsageIndex,
    /// When the image of each file last served a job according to the logs.
    used: Vec<Option<Timestamp>>,
    /// When `refresh` last compared the tags.
    pub(crate) tags: Tags,
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
    /// Whether it has a tag that `refresh` can compare.
    pub(crate) has_tag: bool,
}

impl Facts {
    fn of(image: &scan::Image) -> Self {
        Self { size: image.size, added: image.added(), has_tag: image.has_tag() }
    }
}

/// The file at a path in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// An image in an image root that sifcache fills.
    Image(Facts),
    /// A file of this size in an image root that another tool fills.
    Foreign(u64),
    /// An image that was removed, and had this size.
    Removed(u64),
    /// No file is known at this path.
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
    /// Takes the files of all image roots from a survey of them, except those for which `dead` says
    /// why they cannot be read.
    pub(crate) fn new(
        settings: &Settings,
        survey: &Survey,
        dead: &dyn Fn(&Path) -> Option<String>,
    ) -> Self {
        let answering =
            || settings.search_path().map(|(path, _)| path).filter(|path| dead(path).is_none());
        let root = |(index, path): (u32, &PathBuf)| match dead(path) {
            None => Held::new(path, &OtherRoots::among(answering(), path), survey, index),
            Some(why) => Held::unread(path, why),
        };
        let foreign = settings.foreign_roots.iter().map(|root| &root.path);
        Self {
            roots: (0..).zip(&settings.image_roots).map(root).collect(),
            foreign: foreign.filter(|path| dead(path).is_none()).cloned().collect(),
        }
    }

    /// The image roots that could not be read.
    pub(crate) fn unread(&self) -> impl Iterator<Item = &Held> {
        self.roots.iter().filter(|root| root.error.is_some())
    }

    /// Finds the file at this path. A log can contain any path, so only paths in an image root are
    /// accessed.
    pub(crate) fn find(&self, path: &Path) -> Found {
        let inside = |root: &Path| usage::name_below(root, path);
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
    /// The root with this index in the survey.
    fn new(path: &Path, others: &OtherRoots, survey: &Survey, index: u32) -> Self {
        let files = if survey.whole.contains(&index) { survey.of_root(index) } else { &[] };
        let held = match files {
            // It may not exist, or a part of it was not searched.
            [] => Self::read(path, others),
            files => Ok(Self::of(path, files)),
        };
        match held {
            Ok(held) => held.with_saved(),
            Err(why) => Self::unread(path, why),
        }
    }

    /// Reads the root.
    fn read(path: &Path, others: &OtherRoots) -> Result<Self, String> {
        if !path.is_dir() {
            return Err("it is not a directory, or does not exist".to_owned());
        }
        let files =
            select::accessible_files(path, others).map_err(|failure| failure.to_string())?;
        Ok(Self::with_files(path, files).inspect(&|_| true))
    }

    /// Uses the files and records that a survey has read.
    fn of(path: &Path, all: &[File]) -> Self {
        let sorted = Sorted::new(all);
        let held = Self::with_files(path, sorted.files());
        let facts: Vec<_> = (0..held.files.len())
            .map(|index| sorted.facts(&mut held.files.numbers_of(index)))
            .collect();
        let held = Self { images: facts, ..held };
        let is_unclear = |index: usize| held.image(index).is_none();
        // `inspect` needs them only before it has examined any file.
        let unclear: Vec<bool> = (0..held.files.len()).map(is_unclear).collect();
        held.inspect(&|index| unclear.get(index).copied().unwrap_or(false))
    }

    /// Examines the files that `wanted` selects by their index.
    fn inspect(mut self, wanted: &(impl Fn(usize) -> bool + Sync)) -> Self {
        let facts = |index, image: scan::Image| Some((index, Facts::of(&image)));
        let (images, others) = scan::each_of(&self.path, &self.files, wanted, &facts);
        for (index, facts) in images {
            self.images.get_mut(index).into_iter().for_each(|image| *image = Some(facts));
        }
        self.invalid_files = others + self.files.others();
        self
    }

    /// Loads what commands have saved in the root.
    fn with_saved(self) -> Self {
        let refresh = runs::load(&self.path, Command::Refresh).ok().flatten();
        Self {
            usage: UsageIndex::load(&self.path),
            tags: refresh.map(|run| run.tags).unwrap_or_default(),
            removed: removed(&self.path),
            ..self
        }
    }

    fn with_files(path: &Path, files: Files) -> Self {
        let (by_name, images, used) =
            (files.by_name(), vec![None; files.len()], vec![None; files.len()]);
        Self { files, by_name, images, used, error: None, ..Self::unread(path, String::new()) }
    }

    fn unread(path: &Path, why: String) -> Self {
        Self {
            path: path.to_owned(),
            files: Files::default(),
            by_name: ByName::default(),
            images: Vec::new(),
            invalid_files: 0,
            usage: UsageIndex::default(),
            used: Vec::new(),
            tags: Tags::default(),
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

    /// The images with a tag that `refresh` can compare: when it was last pulled or compared, and the
    /// index of its file.
    pub(crate) fn images_with_tags(&self) -> impl Iterator<Item = (Timestamp, usize)> {
        self.images().filter(|(_, image)| image.has_tag).map(|(index, image)| {
            let compared = self.tags.checked(self.names(index));
            (compared.map_or(image.added, |time| time.max(image.added)), index)
        })
    }

    /// When the image of this file last served a job, if that is known.
    pub(crate) fn last_used(&self, index: usize) -> Option<Timestamp> {
        let saved = self.names(index).filter_map(|name| self.usage.last(name)).max();
        saved.max(self.used.get(index).copied().flatten())
    }

    /// Adds the last uses of images in logs.
    pub(crate) fn learn(&mut self, hits: &Hits, read: &Read) {
        for hits in [hits, &read.future.hits] {
            let uses = usage::names(&self.path, &hits.used).into_par_iter();
            let use_of = |(name, time)| Some((self.files.find(&self.by_name, name)?, time));
            let uses: Vec<(usize, Timestamp)> = uses.filter_map(use_of).collect();
            for (index, time) in uses {
                if let Some(last) = self.used.get_mut(index) {
                    *last = (*last).max(Some(time));
                }
            }
        }
        self.usage.learn_periods(read);
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
mod tests;
