//! Removes images from the cache, with all names that must be removed together.

pub(crate) mod all;

use crate::cache::image_name;
use crate::cache::select::Inventory;
use crate::cache::store::metadata::{self, Record};
use crate::cache::store::retention::Retention;
use crate::cache::store::scan::Image;
use crate::cache::store::{Store, cannot_write, directory};
use crate::error::Failure;
use crate::system::replace::sync_directory;
use jiff::Timestamp;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The removal of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Removal {
    /// The name for display.
    pub(crate) reference: String,
    /// The names to remove, relative to the root. The file is kept under the first one.
    pub(crate) names: Vec<String>,
    /// The number of bytes that are freed when the file is deleted; zero if it has names that stay.
    pub(crate) frees: u64,
    /// When the image was added to the cache.
    pub(crate) added: Option<Timestamp>,
    /// When the image last served a job, if that is known.
    pub(crate) last_used: Option<Timestamp>,
    /// The path where the file is kept after its removal, if it is kept.
    pub(crate) kept: Option<PathBuf>,
}

impl Removal {
    /// The removal of an image with all its names.
    pub(crate) fn whole(inventory: &Inventory, image: &Image) -> Self {
        Self {
            reference: image.title(),
            names: image.names.clone(),
            frees: image.size,
            added: Some(image.added()),
            last_used: inventory.last_used(image),
            kept: None,
        }
    }

    /// The removals of the files that have these names. A digest name that was created together
    /// with a tag is removed with the last of the other names.
    pub(crate) fn of_names(inventory: &Inventory, names: &[String]) -> Vec<Self> {
        let mut removals: Vec<Self> = Vec::new();
        for name in names {
            if removals.iter().any(|removal| removal.names.contains(name)) {
                continue;
            }
            let image = inventory.images.iter().find(|image| image.names.contains(name));
            removals.push(match image {
                Some(image) => Self::of_image(inventory, image, names),
                None => Self::of_file(&inventory.root, name),
            });
        }
        removals
    }

    fn of_image(inventory: &Inventory, image: &Image, names: &[String]) -> Self {
        let (mut going, staying): (Vec<String>, Vec<String>) =
            image.names.iter().cloned().partition(|name| names.contains(name));
        let (along, staying): (Vec<String>, Vec<String>) = staying
            .into_iter()
            .partition(|name| was_created_with_tag(&inventory.root, image, name));
        let all = staying.is_empty();
        going.extend(if all { along } else { Vec::new() });
        let frees = if all { image.size } else { 0 };
        Self { names: going, frees, ..Self::whole(inventory, image) }
    }

    fn of_file(root: &Path, name: &str) -> Self {
        let size = root.join(name).symlink_metadata().map_or(0, |metadata| metadata.len());
        Self {
            reference: name.to_owned(),
            names: vec![name.to_owned()],
            frees: size,
            added: None,
            last_used: None,
            kept: None,
        }
    }

    /// Removes the names from `store`.
    ///
    /// # Errors
    /// A name cannot be removed, or another user could redirect the removal to other files.
    pub(crate) fn apply(&mut self, store: &Store, retention: Retention) -> Result<(), Failure> {
        let Some((first, others)) = self.names.split_first() else { return Ok(()) };
        self.names.iter().try_for_each(|name| store.guard(name))?;
        let _lock = store.lock(first, &|| ())?;
        // Symbolic links are removed before the files that they may lead to.
        for name in others {
            let path = store.path(name);
            std::fs::remove_file(&path).map_err(|error| cannot_write(&path, error))?;
        }
        let path = store.path(first);
        self.kept = retention.take(store, first).map_err(|error| cannot_write(&path, error))?;
        for name in &self.names {
            let path = store.path(name);
            metadata::forget(store, name);
            // The directory must be synced before `tidy` may remove it.
            let _ = path.parent().map(sync_directory);
            directory::tidy(store.root(), &path);
        }
        Ok(())
    }
}

/// Whether the digest name was created together with another name of the image.
pub(crate) fn was_created_with_tag(root: &Path, image: &Image, name: &str) -> bool {
    let pinned = image_name::reference(name).is_some_and(|one| one.digest().is_some());
    let record = Record::load(root, name, image.size, image.modified);
    pinned && record.is_some_and(|record| !record.reference.contains('@'))
}
