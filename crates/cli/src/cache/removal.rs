//! Removes images from the cache, with all names that must be removed together.

pub(crate) mod all;

use crate::cache::image_name;
use crate::cache::select::Inventory;
use crate::cache::store::lock::Lock;
use crate::cache::store::metadata::{self, Record};
use crate::cache::store::retention::Retention;
use crate::cache::store::scan::Image;
use crate::cache::store::{Store, cannot_write, directory};
use crate::error::Failure;
use crate::system::replace::sync_directory;
use jiff::Timestamp;
use serde::Serialize;
use std::io;
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
    /// The file that was chosen. Only this file is removed, and no other that has its name by then.
    #[serde(skip)]
    version: Option<Version>,
    /// Whether the caller named the image, and did not choose it by a condition.
    #[serde(skip)]
    is_requested: bool,
}

/// Size and modification time, as in a [`Record`]; `None` for a link that leads to no file.
type Version = (u64, Timestamp);

/// What became of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    Removed,
    /// Another command removed the image first.
    Gone,
    /// Another command replaced the image since it was chosen. The new image stays.
    Replaced,
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
            version: Some((image.size, image.modified)),
            is_requested: false,
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
        Self { names: going, frees, is_requested: true, ..Self::whole(inventory, image) }
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
            version: version(&root.join(name)),
            is_requested: true,
        }
    }

    /// Removes the names from `store`, except those that another command has removed or given to
    /// another file since. They are then also removed from this list.
    ///
    /// # Errors
    /// A name cannot be removed, or another user could redirect the removal to other files.
    pub(crate) fn apply(
        &mut self,
        store: &Store,
        retention: Retention,
    ) -> Result<Applied, Failure> {
        self.names.iter().try_for_each(|name| store.guard(name))?;
        let _locks = self.lock(store, retention)?;
        let names = std::mem::take(&mut self.names);
        let all = names.len();
        let mut existing = names;
        existing.retain(|name| store.path(name).symlink_metadata().is_ok());
        let is_all_gone = all > 0 && existing.is_empty();
        existing.retain(|name| version(&store.path(name)) == self.version);
        self.names = existing;
        let Some((first, others)) = self.names.split_first() else {
            self.frees = 0;
            return Ok(if is_all_gone { Applied::Gone } else { Applied::Replaced });
        };
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
        Ok(Applied::Removed)
    }

    /// Locks all names, always in the same order. A full file system may have no room for a lock;
    /// a removal that frees space then goes on without it.
    fn lock(&self, store: &Store, retention: Retention) -> Result<Vec<Lock>, Failure> {
        let mut names: Vec<&String> = self.names.iter().collect();
        names.sort();
        let mut locks = Vec::new();
        for name in names {
            match store.lock(name, &|| ()) {
                Ok(lock) => locks.push(lock),
                Err(failure) if is_full(&failure) && retention.until().is_none() => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(locks)
    }
}

/// Whether the file system has no room for another file.
pub(crate) fn is_full(failure: &Failure) -> bool {
    const KINDS: [io::ErrorKind; 2] = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    matches!(failure, Failure::Store { error, .. } if KINDS.contains(&error.kind()))
}

fn version(path: &Path) -> Option<Version> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata::modified(&metadata)?))
}

/// Whether the digest name was created together with another name of the image.
pub(crate) fn was_created_with_tag(root: &Path, image: &Image, name: &str) -> bool {
    let pinned = image_name::reference(name).is_some_and(|one| one.digest().is_some());
    let record = Record::load(root, name, image.size, image.modified);
    pinned && record.is_some_and(|record| !record.reference.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::{Applied, Removal};
    use crate::cache::select::inventory;
    use crate::cache::store::Store;
    use crate::cache::store::retention::Retention;
    use crate::cache::store::tests::{sif, store};
    use jiff::SignedDuration;
    use sifcache_core::settings::Settings;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    const AT_ONCE: Retention = Retention::new(SignedDuration::ZERO);

    /// The removals of all images.
    fn all(store: &Store) -> Vec<Removal> {
        let settings = Settings::with_roots(vec![store.root().to_owned()]);
        let inventory = inventory(&settings, store.root()).unwrap();
        inventory.images.iter().map(|image| Removal::whole(&inventory, image)).collect()
    }

    /// Gives the name to a newer file, as `refresh` and `import --force` do. Files that are written
    /// one right after the other can have the same time, so the test sets it.
    fn replace(store: &Store, name: &str, which: u8) {
        let temporary = store.path("temporary");
        sif(&temporary, which);
        let time = fs::metadata(store.path(name)).unwrap().modified().unwrap();
        let file = fs::File::options().write(true).open(&temporary).unwrap();
        file.set_modified(time + Duration::from_secs(1)).unwrap();
        fs::rename(temporary, store.path(name)).unwrap();
    }

    #[test]
    fn an_image_that_was_replaced_stays() {
        let (_directory, store) = store();
        sif(&store.path("o/i:1"), 1);
        let mut removals = all(&store);
        replace(&store, "o/i:1", 2);
        assert_eq!(removals[0].apply(&store, AT_ONCE).unwrap(), Applied::Replaced);
        assert_eq!(fs::read(store.path("o/i:1")).unwrap()[48], 2);
        assert!(removals[0].names.is_empty());
        assert_eq!(removals[0].frees, 0);
    }

    #[test]
    fn the_other_names_of_a_replaced_image_are_removed() {
        let (_directory, store) = store();
        sif(&store.path("o/i:1"), 1);
        fs::hard_link(store.path("o/i:1"), store.path("o/i:2")).unwrap();
        let mut removals = all(&store);
        replace(&store, "o/i:1", 2);
        assert_eq!(removals[0].apply(&store, AT_ONCE).unwrap(), Applied::Removed);
        assert_eq!(removals[0].names, ["o/i:2"]);
        assert!(store.path("o/i:1").exists() && !store.path("o/i:2").exists());
    }

    #[test]
    fn an_image_that_another_command_has_removed() {
        let (_directory, store) = store();
        sif(&store.path("o/i:1"), 1);
        symlink("nowhere", store.path("o/link")).unwrap();
        let mut removals = all(&store);
        removals.push(Removal::of_file(store.root(), "o/link"));
        for removal in &mut removals {
            let mut other = removal.clone();
            assert_eq!(other.apply(&store, AT_ONCE).unwrap(), Applied::Removed);
            assert_eq!(removal.apply(&store, AT_ONCE).unwrap(), Applied::Gone);
        }
    }

    #[test]
    fn the_name_of_each_image_is_locked() {
        let (_directory, store) = store();
        sif(&store.path("o/i:1"), 1);
        fs::hard_link(store.path("o/i:1"), store.path("o/i:2")).unwrap();
        let removal = all(&store).remove(0);
        let locks = removal.lock(&store, AT_ONCE).unwrap();
        assert_eq!(locks.len(), 2);
        assert_eq!(fs::read_dir(store.state().join("lock")).unwrap().count(), 2);
    }
}
