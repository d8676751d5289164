//! Creates, replaces and removes the links of a view.
//!
//! Most images have several names in a view. The first one is created as a symbolic link, and the
//! others are hard links to that symbolic link where the file system permits it. They need no
//! inode, and creating one takes half the time.

use super::View;
use super::engine::Layout;
use super::entries::TEMPORARY;
use super::plan::Link;
use super::sync::Compared;
use crate::cache::store::{directory, scratch};
use crate::error::Failure;
use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags, linkat, open, symlinkat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

/// The minimum number of links that a thread creates at a time. The links of one directory are
/// adjacent, so two threads seldom work in the same directory.
const BATCH: usize = 512;

/// Applies the differences to the links of a view.
///
/// # Errors
/// A link cannot be created, replaced or removed.
pub(super) fn change(view: &View, layouts: &[Compared]) -> Result<(), Failure> {
    create(view, layouts)?;
    layouts.par_iter().try_for_each(|one| {
        let directory = view.path(one.layout);
        for link in &one.differences.wrong {
            let path = directory.join(&link.name);
            replace(&link.target, &path).map_err(|error| Failure::output(&path, error))?;
        }
        for name in &one.differences.stale {
            let path = directory.join(name);
            remove(&directory, &path).map_err(|error| Failure::output(&path, error))?;
        }
        Ok(())
    })
}

/// Creates the missing links.
fn create(view: &View, layouts: &[Compared]) -> Result<(), Failure> {
    let all = || layouts.iter().flat_map(|one| &one.differences.missing);
    if all().next().is_none() {
        return Ok(());
    }
    let directories = Directories::open(view, layouts)?;
    let firsts = firsts(all());
    let mut first: Vec<&Link> = firsts.values().copied().collect();
    first.sort_unstable();
    let create = |link: &Link, first: Option<&Link>| directories.create(link, first);
    first.par_iter().with_min_len(BATCH).try_for_each(|link| create(link, None))?;
    let others: Vec<(&Link, &Link)> = all()
        .filter_map(|link| firsts.get(&target(link)).map(|first| (link, *first)))
        .filter(|(link, first)| !std::ptr::eq(*link, *first))
        .collect();
    others.par_iter().with_min_len(BATCH).try_for_each(|(link, first)| create(link, Some(first)))
}

/// The link to create first for each target. They are spread over the directories, since the kernel
/// creates one name at a time in each directory.
fn firsts<'a>(all: impl Iterator<Item = &'a Link>) -> HashMap<usize, &'a Link> {
    let mut by_target: HashMap<usize, Vec<&Link>> = HashMap::new();
    for link in all {
        by_target.entry(target(link)).or_default().push(link);
    }
    let first = |(index, (target, links)): (usize, (usize, Vec<&'a Link>))| {
        Some((target, *links.get(index % links.len())?))
    };
    by_target.into_iter().enumerate().filter_map(first).collect()
}

/// A number that links have in common if they share the path of their target. Comparing the paths
/// would take longer.
fn target(link: &Link) -> usize {
    Arc::as_ptr(&link.target).addr()
}

/// The open directories of the layouts.
struct Directories<'a> {
    view: &'a View,
    /// A few entries, so a search is faster than a hash.
    open: Vec<(Layout, OwnedFd)>,
}

impl<'a> Directories<'a> {
    fn open(view: &'a View, layouts: &[Compared]) -> Result<Self, Failure> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let one = |compared: &Compared| {
            let path = view.path(compared.layout);
            match open(&path, flags, Mode::empty()) {
                Ok(directory) => Ok(Some((compared.layout, directory))),
                // There are no new links for an engine that the view no longer serves.
                Err(Errno::NOENT) => Ok(None),
                Err(error) => Err(Failure::output(&path, error.into())),
            }
        };
        let open = layouts.iter().map(one).filter_map(Result::transpose);
        Ok(Self { view, open: open.collect::<Result<_, Failure>>()? })
    }

    fn get(&self, layout: Layout) -> Option<&OwnedFd> {
        self.open.iter().find(|(one, _)| *one == layout).map(|(_, directory)| directory)
    }

    /// Creates a link, as another name of `first` if possible. An entry that has taken the name in
    /// the meantime stays.
    fn create(&self, link: &Link, first: Option<&Link>) -> Result<(), Failure> {
        let path = || self.view.path(link.layout).join(&link.name);
        let made = match self.try_create(link, first) {
            Err(Errno::NOENT) => {
                let path = path();
                directory::make(self.view.home(), path.parent().unwrap_or(&path))
                    .map_err(|error| Failure::output(&path, error))?;
                self.try_create(link, first)
            }
            made => made,
        };
        match made {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(Failure::output(&path(), error.into())),
        }
    }

    fn try_create(&self, link: &Link, first: Option<&Link>) -> Result<(), Errno> {
        let directory = self.get(link.layout).ok_or(Errno::NOENT)?;
        let first = first.and_then(|first| Some((self.get(first.layout)?, first)));
        if let Some((from, first)) = first {
            match linkat(from, &first.name, directory, &link.name, AtFlags::empty()) {
                Ok(()) => return Ok(()),
                Err(error @ (Errno::EXIST | Errno::NOENT)) => return Err(error),
                // The file system has no hard links to symbolic links, or the link has too many
                // names, or it belongs to another user.
                Err(_) => {}
            }
        }
        symlinkat(&*link.target, directory, &link.name)
    }
}

/// Replaces a link. The name leads to the old or to the new target at any time.
fn replace(target: &Path, path: &Path) -> io::Result<()> {
    let temporary = path.with_file_name(format!("{TEMPORARY}{}", scratch::unique()));
    symlink(target, &temporary)?;
    fs::rename(&temporary, path).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// Removes a link, and the directories below `directory` that are empty then.
fn remove(directory: &Path, path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => {
            directory::tidy(directory, path);
            Ok(())
        }
    }
}
