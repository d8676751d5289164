//! Reads the image roots. A root that does not answer must not delay the others.

use super::entry::{Entry, Listed};
use super::foreign;
use super::words::Words;
use crate::cache::image_name;
use crate::cache::select::Filter;
use crate::cache::store;
use crate::cache::store::file::Files;
use crate::cache::store::other_roots::OtherRoots;
use crate::cache::store::scan::{self, Image};
use crate::cache::usage::UsageIndex;
use crate::error::Failure;
use crate::options::Site;
use crate::system::helper;
use crate::system::timeout::{self, Outcome, Watchdog};
use jiff::Timestamp;
use serde::Serialize;
use sifcache_core::layout::ForeignRoot;
use sifcache_core::settings::Settings;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The image roots with the names of their files.
#[derive(Debug, Default)]
pub(super) struct Roots {
    /// Those of sifcache's own layout, then those of other tools.
    pub(super) all: Vec<Listed>,
    /// When the images of each root last served a job.
    pub(super) usages: Vec<UsageIndex>,
    /// Directories that the caller may not read.
    pub(super) closed: Vec<PathBuf>,
    /// The roots that could not be read.
    pub(super) failed: Vec<Failed>,
    /// How long a root may take without an answer.
    timeout: Duration,
}

/// A root that could not be read, and why.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    pub(super) root: String,
    pub(super) problem: String,
}

/// What one root contains.
struct Content {
    files: Files,
    usage: UsageIndex,
    closed: Vec<PathBuf>,
}

/// The images to list.
#[derive(Debug, Default)]
pub(super) struct Images {
    pub(super) entries: Vec<Entry>,
    /// The number of images that have all words in a name, but do not meet the filter.
    pub(super) filtered: usize,
    /// The number of files that are not valid images.
    pub(super) invalid: usize,
}

impl Roots {
    /// Finds the files of each root. In the roots that other tools fill, it finds only files whose
    /// names may contain the words, and none if there are no words.
    ///
    /// # Errors
    /// No root exists, or a signal asked the command to stop.
    pub(super) fn read(site: &Site, settings: &Settings, words: &Words) -> Result<Self, Failure> {
        let timeout = settings.lookup_timeout.unwrap_or(Duration::MAX);
        let mut roots = Self { timeout, ..Self::default() };
        let answering = roots.probe(settings, words);
        let absent = roots.absent(&answering)?;
        if absent.len() == settings.search_path().count() {
            return Err(Failure::AbsentRoots(absent));
        }
        // Almost as in `site::require_roots`, which would wait for a root that hangs.
        if site.root.is_some() {
            absent.into_iter().for_each(|(root, problem)| roots.fail(&root, problem));
        }
        for path in &settings.image_roots {
            let (root, answering) = (path.clone(), answering.clone());
            let content =
                roots.within_limit(path, move |watchdog| own(&root, &answering, watchdog))?;
            roots.add(path, None, content);
        }
        for foreign in settings.foreign_roots.iter().filter(|_| !words.is_empty()) {
            let (root, words) = (foreign.clone(), words.clone());
            let content = roots
                .within_limit(&foreign.path, move |watchdog| other(&root, &words, watchdog))?;
            roots.add(&foreign.path, Some(foreign), content);
        }
        Ok(roots)
    }

    fn add(&mut self, path: &Path, foreign: Option<&ForeignRoot>, content: Option<Content>) {
        let (files, usage) = content.map_or_else(Default::default, |content| {
            self.closed.extend(content.closed);
            (content.files, content.usage)
        });
        let layout = foreign.map(|root| root.layout);
        self.all.push(Listed { path: path.to_owned(), layout, files });
        self.usages.push(usage);
    }

    /// Reads the images that have all words in a name and meet the filter.
    ///
    /// # Errors
    /// A signal asked the command to stop.
    pub(super) fn images(
        &mut self,
        settings: &Settings,
        words: &Words,
        filter: &Filter,
        now: Timestamp,
    ) -> Result<Images, Failure> {
        let mut all = Images::default();
        let roots: Vec<(Listed, UsageIndex)> = std::mem::take(&mut self.all)
            .into_iter()
            .zip(std::mem::take(&mut self.usages))
            .collect();
        for (index, (root, usage)) in roots.into_iter().enumerate() {
            let (path, layout) = (root.path.clone(), root.layout);
            let (settings, words, filter) = (settings.clone(), words.clone(), filter.clone());
            let done = self.within_limit(&path, move |watchdog| {
                let wanted = Wanted { settings: &settings, words: &words, filter: &filter, now };
                let images = of_root(index, &root, &usage, &wanted, watchdog);
                Ok((images, root))
            })?;
            let lost = || (Images::default(), Listed { path, layout, files: Files::default() });
            let (images, root) = done.unwrap_or_else(lost);
            self.all.push(root);
            all.invalid += images.invalid;
            all.filtered += images.filtered;
            // Usually there is only one root, and the list is not copied.
            match all.entries.is_empty() {
                true => all.entries = images.entries,
                false => all.entries.extend(images.entries),
            }
        }
        Ok(all)
    }

    /// The roots that answer, whichever tool fills them. The others fail, if they are to be read.
    fn probe(&mut self, settings: &Settings, words: &Words) -> Vec<PathBuf> {
        let mut answering = Vec::new();
        for (path, layout) in settings.search_path() {
            match self.answers(path) {
                true => answering.push(path.to_owned()),
                false if layout.is_none() || !words.is_empty() => self.fail(path, self.no_answer()),
                false => {}
            }
        }
        answering
    }

    /// The roots that do not exist, each with what to do.
    fn absent(&mut self, answering: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, Failure> {
        let mut absent = Vec::new();
        for path in answering {
            let root = path.clone();
            let problem = self.within_limit(path, move |_| Ok(store::absence(&root)))?.flatten();
            absent.extend(problem.map(|problem| (path.clone(), problem)));
        }
        Ok(absent)
    }

    fn answers(&self, root: &Path) -> bool {
        self.timeout == Duration::MAX || helper::root_answers(root, self.timeout)
    }

    fn has_failed(&self, root: &Path) -> bool {
        self.failed.iter().any(|failed| Path::new(&failed.root) == root)
    }

    fn no_answer(&self) -> String {
        format!("no answer within {} s", self.timeout.as_secs())
    }

    fn fail(&mut self, root: &Path, problem: String) {
        let root = root.to_string_lossy().into_owned();
        self.failed.push(Failed { root, problem });
    }

    /// Does the work as long as the root answers. `None` if it does not, or cannot be read.
    fn within_limit<T: Send + 'static>(
        &mut self,
        root: &Path,
        work: impl FnOnce(&Watchdog) -> Result<T, (PathBuf, io::Error)> + Send + 'static,
    ) -> Result<Option<T>, Failure> {
        if self.has_failed(root) {
            return Ok(None);
        }
        let problem = match timeout::wait(self.timeout, work)? {
            Outcome::Done(Ok(result)) => return Ok(Some(result)),
            Outcome::Done(Err((path, error))) => Failure::read(&path, error).to_string(),
            Outcome::Stuck(_) => self.no_answer(),
        };
        self.fail(root, problem);
        Ok(None)
    }
}

/// The files of a root of sifcache's own layout. One of several roots that does not exist counts as
/// empty, because a node may lack it.
fn own(
    root: &Path,
    answering: &[PathBuf],
    watchdog: &Watchdog,
) -> Result<Content, (PathBuf, io::Error)> {
    let others = OtherRoots::among(answering.iter().map(PathBuf::as_path), root);
    let mut closed = Vec::new();
    let files = match scan::accessible_files(root, &others, &|| watchdog.progress(), &mut closed) {
        Err((path, error)) if path == root && error.kind() == io::ErrorKind::NotFound => {
            Files::default()
        }
        other => other?,
    };
    Ok(Content { files, usage: UsageIndex::load(root), closed })
}

fn other(
    root: &ForeignRoot,
    words: &Words,
    watchdog: &Watchdog,
) -> Result<Content, (PathBuf, io::Error)> {
    let names = match foreign::names(root, words, &|| watchdog.progress()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other.map_err(|error| (root.path.clone(), error))?,
    };
    let files = scan::files_of(&root.path, &names, &|| watchdog.progress());
    Ok(Content { files, usage: UsageIndex::default(), closed: Vec::new() })
}

/// Which images to list.
struct Wanted<'a> {
    settings: &'a Settings,
    words: &'a Words,
    filter: &'a Filter,
    now: Timestamp,
}

fn of_root(
    index: usize,
    root: &Listed,
    usage: &UsageIndex,
    wanted: &Wanted<'_>,
    watchdog: &Watchdog,
) -> Images {
    let filtered = AtomicUsize::new(0);
    let count = |takes: bool| {
        filtered.fetch_add(usize::from(!takes), Ordering::Relaxed);
        takes
    };
    let entry = |file: usize, image: Image| {
        watchdog.progress();
        if let Some(layout) = root.layout {
            let reference = foreign::reference(root, layout, &image, wanted.settings)?;
            if !wanted.words.are_in(&image_name::file(&reference)) {
                return None;
            }
            let references = std::slice::from_ref(&reference);
            let takes = count(wanted.filter.takes_as(&image, references, wanted.now));
            return takes.then(|| Entry::foreign(index, file, &image, &reference));
        }
        let takes = count(wanted.filter.takes(&image, wanted.now));
        takes.then(|| Entry::new(index, file, &image, usage, wanted.words))
    };
    let has_words = |file: usize| root.files.names_of(file).any(|name| wanted.words.are_in(name));
    let (entries, invalid) = match (wanted.words.is_empty(), root.layout) {
        (true, _) => scan::each(&root.path, &root.files, &entry),
        (false, None) => scan::each_of(&root.path, &root.files, &has_words, &entry),
        // The file names of other tools were already compared; they may lack a part of the
        // reference. Other files of these tools are not counted as invalid.
        (false, Some(_)) => (scan::each_of(&root.path, &root.files, &|_| true, &entry).0, 0),
    };
    Images { entries, filtered: filtered.into_inner(), invalid }
}
