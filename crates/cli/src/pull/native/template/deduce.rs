//! Finds the rules by which the runtime turned the probes into the tree of a template.

use super::additions::{Additions, components};
use super::overlay::Overlay;
use super::{compare, probes};
use sifcache_layers::rules::{Attributes, Owners, Removals, Rules, Treatment};
use sifcache_layers::{ContentSink, Merged};
use sifcache_squashfs::tree::{ContentId, Kind, Tree};
use std::convert::Infallible;
use std::io::Read;

const OWNERS: [Owners; 3] =
    [Owners::Kept, Owners::Root { recorded: true }, Owners::Root { recorded: false }];
const ATTRIBUTES: [Attributes; 3] = [Attributes::All, Attributes::User, Attributes::None];
const REMOVALS: [Removals; 2] = [Removals::Now, Removals::Restored];
const TREATMENTS: [Treatment; 3] = [Treatment::Kept, Treatment::Emptied, Treatment::LeftOut];

const READ: u16 = 0o400;
const READ_AND_SEARCH: u16 = 0o500;

/// The time of files that the runtime makes: later than those of the probes.
pub(super) const NOW: u32 = u32::MAX;

/// Stores no content: only the sizes of files matter.
pub(super) struct Discard;

impl ContentSink for Discard {
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
/// There are none: the path at which the best rules fail.
pub(super) fn rules(
    layers: &Merged,
    additions: &Additions,
    template: &Tree,
) -> Result<Vec<Rules>, Vec<u8>> {
    let mut found = Vec::new();
    let mut furthest = Vec::new();
    for rules in for_unpacking(implied_mode(template)) {
        for unreadable_files in TREATMENTS {
            let rules = Rules { unreadable_files, ..rules };
            let Some(unpacked) = unpacked(&rules, layers, additions) else { continue };
            // Most rules for unpacking are excluded without trying all rules for packing.
            if let Some(path) = compare::difference(&unpacked, template)
                && !depends_on_packing(&unpacked, &path)
            {
                furthest = furthest.max(path);
                continue;
            }
            for rules in for_packing(rules) {
                let mut tree = unpacked.clone();
                rules.packed(&mut tree, &mut Discard);
                match compare::difference(&tree, template) {
                    None => found.push(rules),
                    Some(path) => furthest = furthest.max(path),
                }
            }
        }
    }
    if found.is_empty() { Err(furthest) } else { Ok(found) }
}

/// Whether rules say that the runtime may read and write all files.
pub(super) fn is_privileged(rules: &Rules) -> bool {
    rules.unreadable_files == Treatment::Kept
}

/// Whether the rules for packing may explain a difference at this path: the file, or a directory
/// on the way to it, has permissions that hinder its owner.
fn depends_on_packing(unpacked: &Tree, path: &[u8]) -> bool {
    let mut id = Tree::ROOT;
    components(path).any(|name| {
        let Some(child) = unpacked.names(id).and_then(|names| names.get(name)) else {
            return false;
        };
        id = *child;
        unpacked.get(id).is_some_and(|inode| match inode.kind {
            Kind::Directory(_) => inode.metadata.mode & READ_AND_SEARCH != READ_AND_SEARCH,
            _ => inode.metadata.mode & READ == 0,
        })
    })
}

/// The unpacked probes with the runtime's own files. `None` if these rules cannot apply.
fn unpacked(rules: &Rules, layers: &Merged, additions: &Additions) -> Option<Tree> {
    let mut merged = layers.clone();
    rules.unpacked(&mut merged, &mut Discard).ok()?;
    let (tree, sink) = (&mut merged.tree, &mut Discard);
    let mut overlay = Overlay { tree, sink, now: NOW, privileged: is_privileged(rules) };
    overlay.add(additions).ok()?;
    Some(merged.tree)
}

/// All combinations of the rules for unpacking, with these permissions of missing parents.
fn for_unpacking(implied_mode: u16) -> impl Iterator<Item = Rules> {
    let kept = Rules { implied_mode, ..Rules::ROOT };
    OWNERS.into_iter().flat_map(move |owners| {
        ATTRIBUTES.into_iter().flat_map(move |attributes| {
            REMOVALS.into_iter().flat_map(move |removals| {
                let rules = Rules { owners, attributes, removals, ..kept };
                TREATMENTS.into_iter().map(move |devices| Rules { devices, ..rules })
            })
        })
    })
}

/// These rules with all combinations of those for packing directories.
fn for_packing(rules: Rules) -> impl Iterator<Item = Rules> {
    TREATMENTS.into_iter().flat_map(move |unreadable_directories| {
        let rules = Rules { unreadable_directories, ..rules };
        TREATMENTS
            .into_iter()
            .map(move |unsearchable_directories| Rules { unsearchable_directories, ..rules })
    })
}

/// The permissions of the probe without an entry of its own.
fn implied_mode(template: &Tree) -> u16 {
    let path = [probes::DIRECTORY, probes::IMPLIED].join("/");
    let inode = template.lookup(components(path.as_bytes())).and_then(|id| template.get(id));
    inode.map_or(0o755, |inode| inode.metadata.mode & 0o777)
}
