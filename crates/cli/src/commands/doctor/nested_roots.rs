//! Checks whether image roots are nested or the same, also through symbolic links. Jobs then find an
//! image of the inner root under a second name in the outer one.

use super::finding::Finding;
use super::host::Host;
use crate::cache::store::other_roots::OtherRoots;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::settings::Settings;
use std::fs;
use std::path::{Path, PathBuf};

/// The number of entries of a root that are searched for links to other roots. `verify` searches the
/// whole root.
const MAX_ENTRIES: usize = 10_000;

/// The findings about `root` in another root, about links in `root` to another root, and about another
/// path of the same directory.
pub(crate) fn check(host: &Host, settings: &Settings, root: &Path) -> Vec<Finding> {
    let path = host.path(root);
    let all: Vec<PathBuf> = settings.search_path().map(|(path, _)| host.path(path)).collect();
    if all.len() < 2 {
        return Vec::new();
    }
    let others = OtherRoots::among(all.iter().map(PathBuf::as_path), &path);
    let real = fs::canonicalize(&path).unwrap_or_default();
    let outer = real.ancestors().skip(1).find_map(|above| others.at(above));
    let inside = outer.map(|outer| nested(root, &shown(host, outer)));
    let entries = fs::read_dir(&path).into_iter().flatten().take(MAX_ENTRIES).flatten();
    let links = entries.map(|entry| entry.path()).filter(|path| path.is_symlink() && path.is_dir());
    let linked = links.filter_map(|link| {
        let other = others.behind(&link)?;
        Some(linked(&shown(host, &link), &shown(host, other)))
    });
    inside.into_iter().chain(linked).chain(same(host, settings, root, &real)).collect()
}

/// The finding about a root of the same kind that is searched before `root`, and is the same directory.
/// `real` is its canonical path.
fn same(host: &Host, settings: &Settings, root: &Path, real: &Path) -> Option<Finding> {
    let is_real = |path: &Path| fs::canonicalize(host.path(path)).is_ok_and(|path| path == real);
    let mut paths = settings.image_roots.iter().filter(|path| is_real(path));
    let (first, second) = (paths.next()?, paths.find(|path| *path == root)?);
    let (first, second) = (escape_for_terminal(first), escape_for_terminal(second));
    let message = format!("{second}: the same directory as the image root {first}");
    let advice =
        format!("remove {second} from image_root, because it is searched and listed twice");
    Some(Finding::warn("nested-roots", message).advice(advice))
}

/// The path without the prefix of the host.
fn shown(host: &Host, path: &Path) -> String {
    let below = path.strip_prefix(&host.prefix).unwrap_or(path);
    escape_for_terminal(&Path::new("/").join(below))
}

fn nested(root: &Path, outer: &str) -> Finding {
    let name = escape_for_terminal(root);
    let message = format!(
        "{name}: inside the image root {outer}, so jobs can find its images under wrong names there"
    );
    Finding::warn("nested-roots", message)
        .advice(format!("move {name} out of {outer}, and change image_root"))
}

fn linked(link: &str, other: &str) -> Finding {
    let message = format!(
        "{link}: leads to the image root {other}, so jobs can find its images under wrong names here"
    );
    Finding::warn("nested-roots", message).advice(format!("remove the link: rm {link}"))
}
