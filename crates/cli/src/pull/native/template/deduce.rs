//! Finds the rules by which the runtime turned the probes into the tree of a template.

use super::additions::{Additions, components};
use super::overlay::Overlay;
use super::{compare, probes};
use sifcache_layers::rules::{Attributes, Owners, Rules, Treatment};
use sifcache_layers::{ContentSink, Merged};
use sifcache_squashfs::tree::{ContentId, Tree};
use std::convert::Infallible;
use std::io::Read;

const OWNERS: [Owners; 3] =
    [Owners::Kept, Owners::Root { recorded: true }, Owners::Root { recorded: false }];
const ATTRIBUTES: [Attributes; 3] = [Attributes::All, Attributes::User, Attributes::None];
const TREATMENTS: [Treatment; 3] = [Treatment::Kept, Treatment::Emptied, Treatment::LeftOut];

/// Stores no content: only the sizes of files matter.
pub(super) struct Nowhere;

impl ContentSink for Nowhere {
    type Error = Infallible;

    fn store(
        &mut self,
        _path: &[u8],
        _size: u64,
        _data: &mut dyn Read,
    ) -> Result<Option<ContentId>, Infallible> {
        Ok(None)
    }

    fn forget(&mut self, _content: ContentId) {}
}

/// All rules that turn the merged layer of probes into the template's tree. Rules that differ from
/// each other without an effect on the probes cannot be told apart.
///
/// # Errors
/// If there are none: the path at which the best rules fail.
pub(super) fn rules(
    layers: &Merged,
    additions: &Additions,
    template: &Tree,
) -> Result<Vec<Rules>, Vec<u8>> {
    let mut found = Vec::new();
    let mut furthest = Vec::new();
    for rules in all(implied_mode(template)) {
        match difference(rules, layers, additions, template) {
            None => found.push(rules),
            Some(path) => furthest = furthest.max(path),
        }
    }
    if found.is_empty() { Err(furthest) } else { Ok(found) }
}

/// Whether rules say that the runtime may read and write all files.
pub(super) fn is_privileged(rules: &Rules) -> bool {
    rules.unreadable_files == Treatment::Kept
}

/// The path at which the rules fail, if any.
fn difference(
    rules: Rules,
    layers: &Merged,
    additions: &Additions,
    template: &Tree,
) -> Option<Vec<u8>> {
    let mut merged = layers.clone();
    if rules.unpacked(&mut merged, &mut Nowhere).is_err() {
        return Some(Vec::new());
    }
    let overlay = Overlay {
        tree: &mut merged.tree,
        sink: &mut Nowhere,
        now: u32::MAX,
        privileged: is_privileged(&rules),
    };
    if { overlay }.add(additions).is_err() {
        return Some(Vec::new());
    }
    rules.packed(&mut merged.tree, &mut Nowhere);
    compare::difference(&merged.tree, template)
}

/// All combinations of rules, with these permissions of missing parents.
fn all(implied_mode: u16) -> impl Iterator<Item = Rules> {
    let treatments = || TREATMENTS.into_iter();
    OWNERS.into_iter().flat_map(move |owners| {
        ATTRIBUTES.into_iter().flat_map(move |attributes| {
            treatments().flat_map(move |devices| {
                treatments().flat_map(move |unreadable_files| {
                    treatments().flat_map(move |unreadable_directories| {
                        treatments().map(move |unsearchable_directories| Rules {
                            owners,
                            attributes,
                            devices,
                            unreadable_files,
                            unreadable_directories,
                            unsearchable_directories,
                            implied_mode,
                            removals: sifcache_layers::rules::Removals::Unknown,
                        })
                    })
                })
            })
        })
    })
}

/// The permissions of the probe without an entry of its own.
fn implied_mode(template: &Tree) -> u16 {
    let path = [probes::DIRECTORY, probes::IMPLIED].join("/");
    let inode = template.lookup(components(path.as_bytes())).and_then(|id| template.get(id));
    inode.map_or(0o755, |inode| inode.metadata.mode & 0o777)
}
