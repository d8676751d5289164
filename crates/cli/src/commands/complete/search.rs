//! Finds the references that begin with a text. Only the directory that this text leads to is read
//! in each image root, so that the number of images does not matter.

use crate::cache::image_name;
use crate::cache::store::STATE;
use crate::cache::store::other_roots::{self, Id, OtherRoots};
use sifcache_core::image_uri::Transport;
use sifcache_core::layout::{Layout, galaxy_reference};
use sifcache_core::settings::Settings;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The suffix that `singularity pull` and users append to the name of a file.
const SUFFIX: &str = ".sif";
/// Prefixes of docker references that users may omit.
const USUAL: [&str; 2] = ["docker.io/library/", "docker.io/"];
/// The maximum number of directories that are entered because each is the only match.
const MAX_DEPTH: usize = 8;

/// The references that begin with `typed`, and the beginnings of references that end with `/`.
/// Roots that do not answer within half of `limit` are left out.
pub(super) fn search(settings: &Settings, typed: &str, limit: Duration) -> BTreeSet<String> {
    let end = Instant::now() + limit;
    let answering = match settings.search_path().count() {
        0 | 1 => Vec::new(),
        _ => answering(settings, Instant::now() + limit / 2),
    };
    let is_there = |root: &Path| answering.iter().any(|one| one.root == root);
    let settings = match answering.is_empty() {
        true => settings.clone(),
        false => settings.with_roots_that(is_there),
    };
    let mut typed = typed.to_owned();
    let mut found = BTreeSet::new();
    for _ in 0..MAX_DEPTH {
        let next = in_all_roots(&settings, &answering, &typed, end);
        if next.is_empty() {
            return found;
        }
        found = next;
        match (found.len(), found.first()) {
            // The only directory, which is entered at once.
            (1, Some(only)) if only.ends_with('/') && !only.ends_with("://") => {
                typed.clone_from(only);
            }
            _ => return found,
        }
    }
    found
}

/// A root that answers.
#[derive(Clone)]
struct Answering {
    root: PathBuf,
    id: Id,
    /// The last component of its path without symbolic links.
    name: Option<OsString>,
}

/// The roots that answer. Each of them is compared with the others, so a root that hangs must not be
/// accessed by the thread of another one.
fn answering(settings: &Settings, end: Instant) -> Vec<Answering> {
    let ask = |root: &Path, _| {
        let root = root.to_owned();
        move || {
            let id = other_roots::id(&root)?;
            let real = fs::canonicalize(&root).ok()?;
            Some(Answering { root, id, name: real.file_name().map(ToOwned::to_owned) })
        }
    };
    in_parallel(settings, end, ask).into_iter().flatten().collect()
}

fn in_all_roots(
    settings: &Settings,
    answering: &[Answering],
    typed: &str,
    end: Instant,
) -> BTreeSet<String> {
    let look = |root: &Path, layout| {
        let (root, typed) = (root.to_owned(), typed.to_owned());
        let others = Others::new(answering, &root);
        move || in_root(&root, &others, layout, &typed)
    };
    in_parallel(settings, end, look).into_iter().flatten().collect()
}

/// The other roots. A file belongs to the innermost root only.
struct Others {
    roots: OtherRoots,
    /// The names of the directories that are a root. Others are not examined, because there can be
    /// very many.
    names: Vec<OsString>,
}

impl Others {
    fn new(answering: &[Answering], root: &Path) -> Self {
        let ids = answering.iter().map(|one| (one.root.as_path(), one.id));
        let names = answering.iter().filter_map(|one| one.name.clone());
        Self { roots: OtherRoots::known(ids, root), names: names.collect() }
    }

    /// Whether the files in this directory belong to another root.
    fn have(&self, directory: &DirEntry) -> bool {
        let path = directory.path();
        match directory.file_type().is_ok_and(|kind| kind.is_symlink()) {
            true => self.roots.behind(&path).is_some(),
            false => self.names.contains(&directory.file_name()) && self.roots.at(&path).is_some(),
        }
    }
}

/// The results of the work on each root that are there by `end`. Each has a thread, which is abandoned
/// if the file server hangs.
fn in_parallel<T: Send + 'static, W: FnOnce() -> T + Send + 'static>(
    settings: &Settings,
    end: Instant,
    work: impl Fn(&Path, Option<Layout>) -> W,
) -> Vec<T> {
    let (sender, receiver) = mpsc::channel();
    for (root, layout) in settings.search_path() {
        let (sender, work) = (sender.clone(), work(root, layout));
        thread::spawn(move || sender.send(work()));
    }
    drop(sender);
    let left = || end.saturating_duration_since(Instant::now());
    std::iter::from_fn(|| receiver.recv_timeout(left()).ok()).collect()
}

fn in_root(root: &Path, others: &Others, layout: Option<Layout>, typed: &str) -> BTreeSet<String> {
    let named = Transport::ALL.iter().find_map(|one| Some((*one, one.name_in(typed)?)));
    let (transport, name) = named.unwrap_or((Transport::Docker, typed));
    let scheme = if named.is_some() { transport.uri("") } else { String::new() };
    let mut found = BTreeSet::new();
    match layout {
        None => {
            for place in places(transport, name) {
                found.extend(place.names(root, others, transport));
            }
            if named.is_none() {
                found.extend(schemes(root, typed));
            }
        }
        Some(Layout::Galaxy) if transport == Transport::Docker => found.extend(galaxy(root, name)),
        // The file names of the others do not show where a repository ends.
        Some(_) => {}
    }
    found.into_iter().map(|name| format!("{scheme}{name}")).collect()
}

/// A directory whose entries continue what the user typed.
struct Place {
    /// The directory below the image root; empty for the root itself.
    directory: String,
    /// The beginning of the names in it.
    start: String,
    /// What the user typed for `directory`.
    shown: String,
    /// Whether directories in it continue the text.
    with_directories: bool,
}

impl Place {
    fn new(stored: &str, typed: &str, with_directories: bool) -> Self {
        let (directory, start) = stored.rsplit_once('/').unwrap_or(("", stored));
        let shown = typed.strip_suffix(start).unwrap_or_default();
        Self {
            directory: directory.to_owned(),
            start: start.to_owned(),
            shown: shown.to_owned(),
            with_directories,
        }
    }

    fn names(&self, root: &Path, others: &Others, transport: Transport) -> Vec<String> {
        // A path could lead out of the image root.
        if self.directory.split('/').any(|one| one.is_empty() || one == "." || one == "..")
            && !self.directory.is_empty()
        {
            return Vec::new();
        }
        let directory = root.join(&self.directory);
        if others.roots.around(&directory).is_some() {
            return Vec::new();
        }
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| self.name(&entry, others, transport)).collect()
    }

    fn name(&self, entry: &DirEntry, others: &Others, transport: Transport) -> Option<String> {
        let name = entry.file_name().into_string().ok()?;
        let continues = name.starts_with(&self.start) && is_plain(&name);
        let is_hidden = self.directory.is_empty()
            && (name == STATE || Transport::of_file(&format!("{name}/x")).0 != Transport::Docker);
        if !continues || is_hidden {
            return None;
        }
        if is_directory(entry) {
            let continues = self.with_directories && !others.have(entry);
            return continues.then(|| format!("{}{name}/", self.shown));
        }
        // Every image has a name with its digest, which few users want to type.
        if name.contains('@') && !self.start.contains('@') {
            return None;
        }
        let stored = match self.directory.as_str() {
            "" => name.clone(),
            directory => format!("{directory}/{name}"),
        };
        image_name::reference(&stored)?;
        let name =
            if transport.is_web() { &name } else { name.strip_suffix(SUFFIX).unwrap_or(&name) };
        Some(format!("{}{name}", self.shown))
    }
}

/// The directories whose entries may continue the name.
fn places(transport: Transport, name: &str) -> Vec<Place> {
    if let Some(directory) = transport.directory() {
        return vec![Place::new(&format!("{directory}/{name}"), name, true)];
    }
    let mut places = vec![Place::new(name, name, true)];
    let short = USUAL.iter().find_map(|usual| Some((*usual, name.strip_prefix(usual)?)));
    match short {
        Some((usual, rest)) if usual == USUAL[0] && rest.contains('/') => {}
        Some((usual, rest)) => places.push(Place::new(rest, name, usual != USUAL[0])),
        None => {
            places.push(Place::new(&format!("{}{name}", USUAL[1]), name, name.contains('/')));
            if !name.contains('/') {
                places.push(Place::new(&format!("{}{name}", USUAL[0]), name, false));
            }
        }
    }
    places
}

/// The transports that begin with what the user typed, if the root has images of them.
fn schemes(root: &Path, typed: &str) -> Vec<String> {
    let begins = |one: &&Transport| one.uri("").starts_with(typed);
    let has_images = |one: &&Transport| match one.directory() {
        Some(directory) => root.join(directory).is_dir(),
        None => !typed.is_empty(),
    };
    Transport::ALL.iter().filter(begins).filter(has_images).map(|one| one.uri("")).collect()
}

/// The references of the depot of Galaxy, which has one directory for one organization.
fn galaxy(root: &Path, name: &str) -> Vec<String> {
    let entries = || fs::read_dir(root).into_iter().flatten().flatten();
    let reference = |entry: DirEntry| {
        let file = entry.file_name().into_string().ok().filter(|file| is_plain(file))?;
        let shown = image_name::short(&galaxy_reference(&file)?);
        shown.starts_with(name).then_some(shown)
    };
    // Without the organization, all names would match.
    let organization = entries()
        .find_map(|entry| galaxy_reference(&entry.file_name().into_string().ok()?))
        .and_then(|one| Some(format!("{}/", one.short_repository().rsplit_once('/')?.0)));
    match organization {
        Some(begin) if name.starts_with(&begin) => entries().filter_map(reference).collect(),
        // One component at a time, as in the other roots.
        Some(begin) => begin
            .strip_prefix(name)
            .and_then(|rest| rest.split_once('/'))
            .map_or_else(Vec::new, |(next, _)| vec![format!("{name}{next}/")]),
        None => Vec::new(),
    }
}

/// Whether a name has no characters that shells interpret. A valid reference has none.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:@+%,=~".contains(&byte);
    name.bytes().all(plain)
}

fn is_directory(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        Ok(kind) => kind.is_dir(),
        Err(_) => false,
    }
}

/// At most `most` of the sorted names. The first and the last one are among them, so that shells
/// find the same common beginning.
pub(super) fn sample(names: &[String], most: usize) -> impl Iterator<Item = &String> {
    let step = match names.len() > most {
        true => names.len().div_ceil(most.max(2) - 1),
        false => 1,
    };
    let last = names.last().filter(|_| step > 1 && !(names.len() - 1).is_multiple_of(step));
    names.iter().step_by(step).chain(last)
}

#[cfg(test)]
mod tests;
