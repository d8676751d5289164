//! Makes room for an image by removing others: by the marks of the file system and by the budget of
//! the image root.

mod plan;

use crate::cache::eviction::proof::{self, Wanted};
use crate::cache::fill_level::FillLevel;
use crate::cache::removal::{Applied, Removal};
use crate::cache::select::{self, Inventory};
use crate::cache::store::Store;
use crate::cache::store::retention::{self, Retention};
use crate::cache::view::update;
use crate::demand::policy::Limits;
use crate::error::Failure;
use crate::exit::Exit;
use crate::system::signals;
use crate::ui::format;
use crate::ui::stderr;
use jiff::{SignedDuration, Timestamp};
use plan::{Plan, Used};
use sifcache_core::settings::Settings;
use std::path::Path;

/// The name of the lock, so that two fillers do not remove images for the same lack of space.
const LOCK: &str = ".sifcache/room";
/// The files are deleted at once, because the space is needed now. Jobs that have started within
/// the time of keep-days use none of them.
const AT_ONCE: Retention = Retention::new(SignedDuration::ZERO);

/// Frees space and inodes for a pull, if the marks or the budget require it. `bytes` is the total size
/// of the new image and of all images that are being pulled at the same time.
///
/// The least recently used images are removed first, and only if that suffices. An image stays if
/// it may have served a job within the time of `keep-days`, if a link of a user may lead to it, or
/// if sifcache did not add it.
///
/// # Errors
/// The image root cannot be read or written. The inner error is the reason why there is no room.
pub(crate) fn make_room(
    settings: &Settings,
    root: &Path,
    limits: &Limits,
    bytes: u64,
) -> Result<Result<(), String>, Failure> {
    let store = Store::open(root, settings)?;
    let _lock = store.lock(LOCK, &|| ())?;
    let level = FillLevel::of(root).map_err(|error| Failure::read(root, error))?;
    let room = Room { settings, store: &store, limits, now: Timestamp::now() };
    room.make(level, bytes)
}

/// The arguments of the search for room.
struct Room<'a> {
    settings: &'a Settings,
    store: &'a Store,
    limits: &'a Limits,
    now: Timestamp,
}

impl Room<'_> {
    fn make(&self, level: FillLevel, bytes: u64) -> Result<Result<(), String>, Failure> {
        // The images are only counted if the file system has no room or the root has a budget.
        let space = &self.limits.space;
        let without_budget = Plan::new(space, Used { level, images: 0 }, bytes);
        if space.max.is_none() && without_budget.is_met() {
            return Ok(Ok(()));
        }
        let inventory = select::inventory(self.settings, self.store.root())?;
        let plan = Plan::new(space, Used { level, images: self.images(&inventory) }, bytes);
        if plan.is_met() {
            return Ok(Ok(()));
        }
        match self.choose(&inventory, &plan) {
            Ok(removals) => self.remove(removals).map(Ok),
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// The bytes of all images in the root, including those that are kept after their removal.
    fn images(&self, inventory: &Inventory) -> u64 {
        let sizes = inventory.images.iter().map(|image| image.size);
        sizes.sum::<u64>() + retention::size(self.store.root()).bytes
    }

    /// The images to remove.
    ///
    /// # Errors
    /// There is no room even without all images that may be removed, or the logs do not prove
    /// which ones may be.
    fn choose(&self, inventory: &Inventory, plan: &Plan) -> Result<Vec<Removal>, String> {
        let since = self.now.checked_sub(self.limits.keep).unwrap_or(Timestamp::MIN);
        let chosen = plan::choose(self.settings, inventory, plan, since, self.now)?;
        let wanted = Wanted {
            option: "keep-days",
            since: chosen.since,
            of_cluster: true,
            without: &self.limits.space.without_nodes,
            without_option: "space.without-nodes of the policy",
        };
        proof::require(inventory, &wanted, self.now)
            .map_err(|gap| format!("{plan}, and no image is removed: {gap}"))?;
        Ok(chosen.images.iter().map(|image| Removal::whole(inventory, image)).collect())
    }

    fn remove(&self, removals: Vec<Removal>) -> Result<(), Failure> {
        let apply = || {
            for mut removal in removals {
                signals::check()?;
                if removal.apply(self.store, AT_ONCE)? == Applied::Removed {
                    stderr::message(&removed(&removal));
                }
            }
            Ok(Exit::OK)
        };
        update::after(self.settings, self.store.root(), apply()).map(drop)
    }
}

/// The message about a removed image.
fn removed(removal: &Removal) -> String {
    let used = match removal.last_used {
        Some(time) => format!("last used on {}", format::day(time)),
        None => "never used".to_owned(),
    };
    let (name, size) = (&removal.reference, format::size(removal.frees));
    format!("removed {name} to make room: {size}, {used}")
}

#[cfg(test)]
mod tests;
