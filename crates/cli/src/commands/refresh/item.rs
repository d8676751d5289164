//! The names to refresh, and related names of the files that are replaced.

use super::Refresh;
use crate::cache::image_name;
use crate::cache::removal::{Removal, was_created_with_tag};
use crate::cache::select::{self, Inventory};
use crate::cache::sif_metadata;
use crate::cache::store::architecture::Architecture;
use crate::cache::store::metadata::{self, Record};
use crate::cache::store::scan::Image;
use crate::error::Failure;
use jiff::Timestamp;
use sifcache_core::reference::Reference;
use sifcache_core::settings::{Pull, Settings};
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// One name to refresh.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) reference: Reference,
    /// The name of the file, relative to the image root.
    pub(super) name: String,
    /// The digests under which the file is known to have been pulled; empty if unknown.
    pub(super) digests: Vec<String>,
    /// The size and the modification time of the file when the inventory was read.
    version: (u64, Timestamp),
    /// Names with a digest that are removed together with the old file.
    pub(super) along: Vec<String>,
    /// Older files of the same tag that only have names with a digest left, because a command was
    /// killed before it removed those names.
    pub(super) orphans: Vec<Removal>,
}

/// A file that another command has put in the place of the one in the inventory.
#[derive(Debug)]
pub(super) struct Replacement {
    /// The digests under which it is known to have been pulled; empty if unknown.
    pub(super) digests: Vec<String>,
    /// Whether it was pulled, and not copied from a file.
    pub(super) is_pulled: bool,
}

impl Item {
    /// The file that has replaced the one in the inventory, if another command has put one there.
    pub(super) fn replacement(&self, root: &Path) -> Option<Replacement> {
        let path = root.join(&self.name);
        let metadata = fs::metadata(&path).ok()?;
        let version = (metadata.len(), metadata::modified(&metadata)?);
        if version == self.version {
            return None;
        }
        let record = Record::load(root, &self.name, version.0, version.1);
        let is_pulled = record.as_ref().is_some_and(|record| record.runtime.is_some());
        let recorded = || recorded_digest(&path, &self.reference).into_iter().collect();
        Some(Replacement { digests: record.map_or_else(recorded, |one| one.digests), is_pulled })
    }
}

/// The requested images, or all images with `--all`.
///
/// # Errors
/// An argument is not a valid reference, names no image in this root, or names an image for another
/// architecture.
pub(super) fn items(
    args: &Refresh,
    settings: &Settings,
    inventory: &Inventory,
    architecture: Architecture,
) -> Result<Vec<Item>, Failure> {
    let mut names: Vec<String> = Vec::new();
    for word in &args.references {
        let found = select::names(settings, &inventory.root, word)?;
        if found.is_empty() {
            let (word, root) = (word.clone(), inventory.root.clone());
            return Err(Failure::NotInRoot { word, root, advice: ": `sifcache add` pulls it" });
        }
        names.extend(found);
    }
    let mut seen = HashSet::new();
    let wanted = |name: &String| args.all || names.contains(name);
    let mut items = Vec::new();
    for image in &inventory.images {
        for name in image.names.iter().filter(|name| wanted(name)) {
            let Some(reference) = image_name::reference(name) else { continue };
            // With --all, images under a digest are skipped, because a digest always denotes the
            // same image, and so are those of servers that have no digest to compare with.
            let unknown = !reference.transport().is_registry() && !args.unknown;
            let pinned = args.all && (unknown || reference.digest().is_some());
            // A pull for `architecture` would replace this image with a different one.
            if image.architecture != architecture {
                if args.all {
                    continue;
                }
                let actual = image.architecture;
                return Err(Failure::OtherArchitecture { name: name.clone(), actual });
            }
            if !pinned && seen.insert(name.clone()) {
                items.push(item(inventory, settings, image, reference, name));
            }
        }
    }
    Ok(items)
}

fn item(
    inventory: &Inventory,
    settings: &Settings,
    image: &Image,
    reference: Reference,
    name: &str,
) -> Item {
    let (along, others): (Vec<String>, Vec<String>) = image
        .names
        .iter()
        .filter(|other| *other != name)
        .cloned()
        .partition(|other| was_created_with_tag(&inventory.root, image, other));
    // Files of users can link to the names with a digest. `gc` removes those later.
    let has_links = settings.pull == Pull::Link;
    // If another tag still points to the old file, the file's digest names are kept.
    let along = if others.is_empty() && !has_links { along } else { Vec::new() };
    let orphans = if has_links { Vec::new() } else { orphans(inventory, &reference) };
    let mut digests = image.digests(&image.references());
    if digests.is_empty() {
        digests.extend(recorded_digest(&inventory.root.join(name), &reference));
    }
    let version = (image.size, image.modified);
    Item { reference, name: name.to_owned(), digests, version, along, orphans }
}

/// The digest that the runtime recorded in a file that was put into the image root by hand.
fn recorded_digest(path: &Path, reference: &Reference) -> Option<String> {
    let origin = sif_metadata::origin(path)?;
    let is_same = origin.reference.to_string() == reference.to_string();
    origin.digest.filter(|_| is_same)
}

/// Files of this tag that only have names with a digest left.
fn orphans(inventory: &Inventory, reference: &Reference) -> Vec<Removal> {
    let of_this = |image: &&Image| {
        image.record.as_ref().is_some_and(|record| record.reference == reference.to_string())
            && image.names.iter().all(|name| was_created_with_tag(&inventory.root, image, name))
    };
    inventory.images.iter().filter(of_this).map(|image| Removal::whole(inventory, image)).collect()
}

#[cfg(test)]
mod tests {
    use super::recorded_digest;
    use crate::cache::image_name;
    use crate::cache::sif_metadata::tests::sif;
    use std::fs;

    #[test]
    fn a_recorded_digest_applies_to_the_same_reference_only() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        let name = "docker.io/library/alpine:3.20";
        let labels = [
            ("org.label-schema.usage.apptainer.version", "1.5.3"),
            ("org.opencontainers.image.base.name", name),
            ("org.opencontainers.image.base.digest", digest.as_str()),
        ];
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), sif(Some("bootstrap: docker\nfrom: alpine:3.20"), &labels)).unwrap();
        let of = |text: &str| recorded_digest(file.path(), &image_name::parse(text).unwrap());
        assert_eq!(of("alpine:3.20"), Some(digest));
        assert_eq!(of("o/mine:1"), None);
    }
}
