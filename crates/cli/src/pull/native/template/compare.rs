//! Compares an expected tree with the tree of a template.

use super::additions::join;
use sifcache_squashfs::tree::{Inode, Kind, Names, Tree};
use std::collections::BTreeMap;

/// A time that a file in the template has if the runtime made or changed it: after the times of all
/// probes.
const RECENT: u32 = 1_600_000_000;

/// The first path from the root at which the trees differ, in the order of a walk; `None` if they
/// are equal. Contents are compared by size.
///
/// All times after [`RECENT`] count as equal, because the expected tree has the time of its
/// computation.
pub(super) fn difference(expected: &Tree, actual: &Tree) -> Option<Vec<u8>> {
    let mut links = BTreeMap::new();
    let mut todo = vec![(Vec::new(), Tree::ROOT, Tree::ROOT)];
    while let Some((path, one, other)) = todo.pop() {
        // Hard links: each inode of a tree belongs to exactly one inode of the other.
        let same = links.insert((one, true), other).is_none_or(|before| before == other)
            && links.insert((other, false), one).is_none_or(|before| before == one);
        if !same || !are_equal(expected.get(one)?, actual.get(other)?) {
            return Some(path);
        }
        let (Some(names), Some(others)) = (expected.names(one), actual.names(other)) else {
            continue;
        };
        if let Some(name) = unpaired(names, others) {
            return Some(join(&path, name));
        }
        let pairs = names.iter().zip(others.values()).rev();
        todo.extend(pairs.map(|((name, one), other)| (join(&path, name), *one, *other)));
    }
    None
}

/// A name that only one of two directories has.
fn unpaired<'a>(names: &'a Names, others: &'a Names) -> Option<&'a [u8]> {
    let mut only = names.keys().filter(|name| !others.contains_key(*name));
    let mut others_only = others.keys().filter(|name| !names.contains_key(*name));
    only.next().or_else(|| others_only.next()).map(|name| &**name)
}

fn are_equal(expected: &Inode, actual: &Inode) -> bool {
    let kinds = match (&expected.kind, &actual.kind) {
        (Kind::Directory(_), Kind::Directory(_)) => true,
        (Kind::File { size, .. }, Kind::File { size: other, .. }) => size == other,
        (one, other) => one == other,
    };
    let (one, other) = (&expected.metadata, &actual.metadata);
    let times = one.mtime == other.mtime || (one.mtime > RECENT && other.mtime > RECENT);
    kinds
        && times
        && (one.mode, one.uid, one.gid) == (other.mode, other.uid, other.gid)
        && one.xattrs == other.xattrs
}
