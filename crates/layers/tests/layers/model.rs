//! A model of the merge: a map of paths, to which each entry is applied as umoci does on disk, with
//! paths as text and without any of the merge's data structures. Fuzzing uses it too.

use crate::support::entry::{self, Entry};
use crate::support::{self, NOW};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What an entry does.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Directory(String),
    File(String),
    Symlink(String, String),
    HardLink(String, String),
    Whiteout(String),
    Opaque(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Directory,
    File(String),
    Symlink(String),
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    mode: u16,
    time: u32,
}

type Shared = Rc<RefCell<Node>>;

/// The files by their path, without a leading slash. The root directory has no path.
#[derive(Debug, Default)]
pub(crate) struct Model {
    files: BTreeMap<String, Shared>,
    /// The paths that the layer has an entry for or below.
    upper: BTreeSet<String>,
}

/// The merge refuses the entry.
#[derive(Debug)]
struct Refused;

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.into() } else { format!("{directory}/{name}") }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Removes `.` and `..` from a path.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

impl Model {
    fn kind(&self, path: &str) -> Option<Kind> {
        if path.is_empty() {
            return Some(Kind::Directory);
        }
        self.files.get(path).map(|node| node.borrow().kind.clone())
    }

    fn resolve(&self, path: &str) -> Result<String, Refused> {
        let mut todo: Vec<String> = path.split('/').rev().map(Into::into).collect();
        let (mut at, mut links) = (String::new(), 0);
        while let Some(part) = todo.pop() {
            let next = clean(&join(&at, &part));
            if let Some(Kind::Symlink(target)) = self.kind(&next) {
                links += 1;
                if links > 255 {
                    return Err(Refused);
                }
                if target.starts_with('/') {
                    at.clear();
                }
                todo.extend(target.split('/').rev().map(Into::into));
            } else {
                at = next;
            }
        }
        Ok(at)
    }

    fn insert(&mut self, path: &str, kind: Kind, mode: u16, time: u32) {
        self.files.insert(path.into(), Rc::new(RefCell::new(Node { kind, mode, time })));
    }

    fn remove_all(&mut self, path: &str) {
        self.files.retain(|other, _| other != path && !other.starts_with(&format!("{path}/")));
    }

    fn make_all(&mut self, path: &str) -> Result<(), Refused> {
        let mut at = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let next = join(&at, part);
            match self.kind(&next) {
                Some(Kind::Directory) => {}
                Some(_) => return Err(Refused),
                None => {
                    if let Some(parent) = self.files.get(&at) {
                        parent.borrow_mut().time = NOW;
                    }
                    self.insert(&next, Kind::Directory, 0o775, NOW);
                }
            }
            at = next;
        }
        Ok(())
    }

    /// Removes what the layer has not put there, below `path` and perhaps `path` itself.
    fn whiteout(&mut self, path: &str, itself: bool) {
        if !path.is_empty() && !self.files.contains_key(path) {
            return;
        }
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let paths: Vec<String> = self
            .files
            .keys()
            .filter(|other| other.starts_with(&below) && *other != path)
            .cloned()
            .collect();
        let all = itself.then(|| path.to_owned()).into_iter().chain(paths);
        for path in all.collect::<Vec<_>>() {
            if self.upper.contains(&path) || !self.files.contains_key(&path) {
                continue;
            }
            self.remove_all(&path);
            // The directory of the whiteout keeps its time.
            let parent = split(&path).0;
            if parent.len() + 1 >= below.len() + usize::from(!itself)
                && let Some(parent) = self.files.get(parent)
            {
                parent.borrow_mut().time = NOW;
            }
        }
    }

    fn apply(&mut self, action: &Action, time: u32) -> Result<(), Refused> {
        let (Action::Directory(path)
        | Action::File(path)
        | Action::Symlink(path, _)
        | Action::HardLink(path, _)
        | Action::Whiteout(path)
        | Action::Opaque(path)) = action;
        let path = clean(path);
        if let Action::Opaque(_) = action {
            let directory = self.resolve(&path)?;
            self.whiteout(&directory, false);
            return Ok(());
        }
        if path.is_empty() {
            return if matches!(action, Action::Directory(_)) { Ok(()) } else { Err(Refused) };
        }
        let (directory, name) = split(&path);
        let directory = self.resolve(directory)?;
        let path = join(&directory, name);
        if let Action::Whiteout(_) = action {
            self.whiteout(&path, true);
            return Ok(());
        }
        self.make_all(&directory)?;
        self.put(action, &path, time)?;
        let mut upper = path.as_str();
        while !upper.is_empty() {
            self.upper.insert(upper.into());
            upper = split(upper).0;
        }
        Ok(())
    }

    fn put(&mut self, action: &Action, path: &str, time: u32) -> Result<(), Refused> {
        if let (Action::Directory(_), Some(Kind::Directory)) = (action, self.kind(path)) {
            let mut node = self.files[path].borrow_mut();
            (node.mode, node.time) = (0o755, time);
            return Ok(());
        }
        self.remove_all(path);
        match action {
            Action::Directory(_) => self.insert(path, Kind::Directory, 0o755, time),
            Action::File(_) => self.insert(path, Kind::File(time.to_string()), 0o644, time),
            Action::Symlink(_, to) => self.insert(path, Kind::Symlink(to.clone()), 0o777, time),
            Action::HardLink(_, to) => {
                let to = clean(to);
                let (directory, name) = split(&to);
                let to = join(&self.resolve(directory)?, name);
                let node = self.files.get(&to).map(Rc::clone).ok_or(Refused)?;
                if node.borrow().kind == Kind::Directory {
                    return Err(Refused);
                }
                self.files.insert(path.into(), node);
            }
            Action::Whiteout(_) | Action::Opaque(_) => {}
        }
        Ok(())
    }

    /// The files as [`support::listing`] lists them.
    pub(crate) fn listing(&self) -> Vec<String> {
        let line = |(path, node): (&String, &Shared)| {
            let first = self.files.iter().find(|(_, other)| Rc::ptr_eq(other, node));
            let Node { kind, mode, time } = &*node.borrow();
            let time = if *time == NOW { "now".into() } else { time.to_string() };
            let (letter, body) = match kind {
                Kind::Directory => ('d', String::new()),
                Kind::File(content) => ('f', format!(" \"{content}\"")),
                Kind::Symlink(target) => ('l', format!(" -> {target}")),
            };
            let link = match first {
                Some((first, _)) if first != path => format!(" = {first}"),
                _ => String::new(),
            };
            format!("{path} {letter}{mode:o} 0:0 {time}{body}{link}")
        };
        self.files.iter().map(line).collect()
    }
}

impl Action {
    /// The entry of a layer. `time` is different for each entry, and is a file's content too.
    fn entry(&self, time: u32) -> Entry {
        let entry = match self {
            Self::Directory(path) => entry::dir(path),
            Self::File(path) => entry::file(path, time.to_string()),
            Self::Symlink(path, to) => entry::symlink(path, to),
            Self::HardLink(path, to) => entry::hard_link(path, to),
            Self::Whiteout(path) => entry::whiteout(path),
            Self::Opaque(path) => entry::file(format!("{path}/.wh..wh..opq"), ""),
        };
        entry.time(time.into())
    }
}

/// The bytes of layers.
pub(crate) type Layers = Vec<Vec<u8>>;

/// Leaves out the entries that the model refuses, so that most cases come to an end. The last part
/// is the layers up to the first of these entries.
pub(crate) fn accepted(layers: Vec<Vec<Action>>) -> (Model, Layers, Option<Layers>) {
    let (mut model, mut time) = (Model::default(), 0);
    let (mut bytes, mut refused) = (Vec::new(), None);
    for actions in layers {
        model.upper.clear();
        let mut entries = Vec::new();
        for action in actions {
            time += 1;
            let before = model.copy();
            if model.apply(&action, time).is_ok() {
                entries.push(action.entry(time));
            } else {
                model = before;
                if refused.is_none() {
                    let with = entries.iter().cloned().chain([action.entry(time)]);
                    let last = support::layer(with);
                    refused = Some(bytes.iter().cloned().chain([last]).collect());
                }
            }
        }
        bytes.push(support::layer(entries));
    }
    (model, bytes, refused)
}

impl Model {
    /// A copy in which the same paths share a file.
    fn copy(&self) -> Self {
        let mut copies: Vec<(&Shared, Shared)> = Vec::new();
        let mut files = BTreeMap::new();
        for (path, node) in &self.files {
            let known = copies.iter().find(|(original, _)| Rc::ptr_eq(original, node));
            let copy = known.map(|(_, copy)| Rc::clone(copy)).unwrap_or_else(|| {
                let Node { kind, mode, time } = &*node.borrow();
                Rc::new(RefCell::new(Node { kind: kind.clone(), mode: *mode, time: *time }))
            });
            copies.push((node, Rc::clone(&copy)));
            files.insert(path.clone(), copy);
        }
        Self { files, upper: self.upper.clone() }
    }
}
