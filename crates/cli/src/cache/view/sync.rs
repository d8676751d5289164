//! Compares a view with its plan, and applies the differences.

use super::catalog::Catalog;
use super::engine::Layout;
use super::entries::{Entry, TEMPORARY, entries};
use super::plan::{Link, Plan, Shared, plan, reference_of};
use super::{View, links};
use crate::cache::store::lock::Lock;
use crate::cache::store::{directory, path_trust};
use crate::error::Failure;
use rayon::prelude::*;
use sifcache_core::settings::Untrusted;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The differences between a layout's directory and its plan.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// Links that do not exist.
    pub(crate) missing: Vec<Link>,
    /// Links that lead to another image.
    pub(crate) wrong: Vec<Link>,
    /// The names of links that must not exist any more.
    pub(crate) stale: Vec<String>,
    /// Links whose name belongs to an entry that is not ours.
    pub(crate) occupied: Vec<Link>,
}

/// The state of one layout's directory.
#[derive(Debug)]
pub(crate) struct Compared {
    /// The layout.
    pub(crate) layout: Layout,
    /// The number of links that it has to contain.
    pub(crate) links: usize,
    /// The differences; in the result of a change, those before it.
    pub(crate) differences: Differences,
}

/// The state of a view.
#[derive(Debug)]
pub(crate) struct Status {
    /// The number of references that have links.
    pub(crate) references: usize,
    /// Each layout of its engines, then those that it no longer serves and that still have links.
    pub(crate) layouts: Vec<Compared>,
    /// The names that are refused because several references share them.
    pub(crate) shared: Vec<Shared>,
}

impl Status {
    /// Links whose name belongs to an entry that is not ours.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = &Link> {
        self.layouts.iter().flat_map(|one| &one.differences.occupied)
    }

    /// Whether the view differs from its plan.
    pub(crate) fn is_outdated(&self) -> bool {
        let is_outdated = |one: &Differences| {
            !(one.missing.is_empty() && one.wrong.is_empty() && one.stale.is_empty())
        };
        self.layouts.iter().any(|one| is_outdated(&one.differences))
    }
}

/// Compares the view with the images. Changes nothing. Calls `progress` for each image.
///
/// # Errors
/// An image root or a directory of the view cannot be read.
pub(crate) fn compare(
    view: &View,
    untrusted: Untrusted,
    progress: &(dyn Fn() + Sync),
) -> Result<Status, Failure> {
    let Plan { references, links, shared } =
        plan(view, &Catalog::read(&view.roots, untrusted, progress)?);
    let wanted = view.layouts();
    let compare = |(layout, planned): (Layout, Vec<Link>)| {
        let directory = view.path(layout);
        let actual =
            entries(&directory, layout).map_err(|error| Failure::read(&directory, error))?;
        let links = planned.len();
        let differences = differences(view, layout, planned, &actual);
        Ok(Compared { layout, links, differences })
    };
    let mut layouts: Vec<Compared> =
        by_layout(links).into_par_iter().map(compare).collect::<Result<_, Failure>>()?;
    layouts.retain(|one| wanted.contains(&one.layout) || !one.differences.stale.is_empty());
    Ok(Status { references, layouts, shared })
}

/// The sorted links of each layout.
fn by_layout(mut links: Vec<Link>) -> Vec<(Layout, Vec<Link>)> {
    let mut all = Layout::ALL.map(|layout| (layout, Vec::new()));
    for (layout, of_layout) in all.iter_mut().rev() {
        *of_layout = links.split_off(links.partition_point(|link| link.layout < *layout));
    }
    all.into()
}

fn differences(
    view: &View,
    layout: Layout,
    links: Vec<Link>,
    actual: &BTreeMap<String, Entry>,
) -> Differences {
    let stale = stale(view, layout, &links, actual);
    let mut found = Differences { stale, ..Differences::default() };
    for link in links {
        match actual.get(&link.name) {
            None => found.missing.push(link),
            Some(Entry::Link(target)) if *target == *link.target => {}
            Some(Entry::Link(target))
                if reference_of(view, layout, &link.name, target).is_some() =>
            {
                found.wrong.push(link);
            }
            Some(_) => found.occupied.push(link),
        }
    }
    found
}

/// The names of links that must not exist any more.
fn stale(
    view: &View,
    layout: Layout,
    links: &[Link],
    actual: &BTreeMap<String, Entry>,
) -> Vec<String> {
    let is_wanted =
        |name: &str| links.binary_search_by(|link| link.name.as_str().cmp(name)).is_ok();
    let is_stale = |(name, entry): &(&String, &Entry)| match entry {
        Entry::Link(target) => {
            !is_wanted(name) && (is_temporary(name) || is_removable(view, layout, name, target))
        }
        Entry::Other => false,
    };
    actual.iter().filter(is_stale).map(|(name, _)| name.clone()).collect()
}

/// Whether an interrupted command left this link.
fn is_temporary(name: &str) -> bool {
    Path::new(name)
        .file_name()
        .is_some_and(|last| last.as_encoded_bytes().starts_with(TEMPORARY.as_bytes()))
}

/// Whether the link is ours, and its image root exists on this host.
fn is_removable(view: &View, layout: Layout, name: &str, target: &Path) -> bool {
    let is_here = |root: &&PathBuf| target.starts_with(root) && root.is_dir();
    view.roots.iter().any(|root| is_here(&root))
        && reference_of(view, layout, name, target).is_some()
}

/// Applies the plan to the view. Returns the state before the change. Calls `waiting` once if
/// another command is changing the view.
///
/// # Errors
/// Another user could redirect the change to other files, or something cannot be read or
/// written. The next call completes a change that failed.
pub(crate) fn apply(
    view: &View,
    untrusted: Untrusted,
    waiting: &dyn Fn(),
) -> Result<Status, Failure> {
    path_trust::refuse(&view.directory)?;
    let _lock = Lock::wait(&view.lock_file(), waiting)?;
    for layout in view.layouts() {
        let path = view.path(layout);
        directory::make(view.home(), &path).map_err(|error| Failure::output(&path, error))?;
        path_trust::refuse(&path)?;
    }
    let status = compare(view, untrusted, &|| ())?;
    links::change(view, &status.layouts)?;
    Ok(status)
}

/// Removes all links that are ours, and the directories that are empty then. Returns the state of
/// the view before the removal.
///
/// # Errors
/// The same as for [`apply`].
pub(crate) fn clear(
    view: &View,
    untrusted: Untrusted,
    waiting: &dyn Fn(),
) -> Result<Status, Failure> {
    path_trust::refuse(&view.directory)?;
    let _lock = Lock::wait(&view.lock_file(), waiting)?;
    let empty = without_engines(view);
    let status = compare(&empty, untrusted, &|| ())?;
    links::change(&empty, &status.layouts)?;
    for layout in Layout::ALL {
        let _ = fs::remove_dir(view.path(layout));
    }
    let _ = fs::remove_dir(&view.directory);
    Ok(status)
}

/// The same view without engines. Its plan has no links.
pub(crate) fn without_engines(view: &View) -> View {
    View { engines: std::collections::BTreeSet::new(), ..view.clone() }
}
