//! The space to free for a pull, and the images to remove for it.

use crate::cache::eviction::linked::{self, Grace};
use crate::cache::eviction::{self, Need};
use crate::cache::fill_level::{FillLevel, Part};
use crate::cache::image_name;
use crate::cache::select::Inventory;
use crate::cache::store::scan::Image;
use crate::demand::policy::Space;
use crate::ui::format;
use jiff::{SignedDuration, Timestamp};
use sifcache_core::settings::Settings;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The maximum number of inodes that a pull needs: for the image, its record, locks and directories.
const INODES: u64 = 16;
/// How long an image stays after the last pull that linked to it, as with `gc`.
const LINK_GRACE: SignedDuration = SignedDuration::from_hours(24 * 30);

/// The space in use before the pull.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) level: FillLevel,
    /// The bytes of the images in the root.
    pub(super) images: u64,
}

/// The space to free for a pull.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The minimum that makes room for this pull.
    pub(super) least: Need,
    /// The amount that also makes room for further pulls.
    pub(super) goal: Need,
    /// Why there is no room, for messages.
    why: String,
}

impl Plan {
    /// The plan for a pull of this size.
    pub(super) fn new(space: &Space, used: Used, bytes: u64) -> Self {
        let mut plan = Self { least: Need::default(), goal: Need::default(), why: String::new() };
        let after = |part: Part, more: u64| match part.total {
            0 => part,
            total => Part { used: part.used.saturating_add(more), total },
        };
        let part = after(used.level.space, bytes);
        if part.excess(space.bytes) > 0 {
            plan.least.bytes = part.used - space.bytes.high.of(part.total);
            plan.goal.bytes = part.excess(space.bytes);
            let (used, total) = (format::size(used.level.space.used), format::size(part.total));
            plan.why =
                format!("{used} of {total} are used, and space.high is {}", space.bytes.high);
        }
        let part = after(used.level.inodes, INODES);
        if part.excess(space.inodes) > 0 {
            plan.least.inodes = part.used - space.inodes.high.of(part.total);
            plan.goal.inodes = part.excess(space.inodes);
            let (used, high) = (used.level.inodes.used, space.inodes.high);
            plan.why =
                format!("{used} of {} inodes are used, and inodes-high is {high}", part.total);
        }
        let after = used.images.saturating_add(bytes);
        if let Some(max) = space.max.filter(|max| after > *max) {
            let over = Need { bytes: after - max, inodes: 0 };
            (plan.least, plan.goal) = (plan.least.max(over), plan.goal.max(over));
            let (used, max) = (format::size(used.images), format::size(max));
            plan.why = format!("the images have {used}, and space.max is {max}");
        }
        plan.why = format!("no room for {}: {}", format::size(bytes), plan.why);
        plan
    }

    /// Whether there is room.
    pub(super) fn is_met(&self) -> bool {
        self.least.is_met()
    }
}

/// Displays why there is no room.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// The images to remove.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    pub(super) images: Vec<&'a Image>,
    /// The logs must show each use of images since this time.
    pub(super) since: Timestamp,
}

/// Chooses the images to remove: those that last served a job before `since`, the least recently
/// used first. Whether the logs show all jobs is left to the caller.
///
/// # Errors
/// All such images together are too small.
pub(super) fn choose<'a>(
    settings: &Settings,
    inventory: &'a Inventory,
    plan: &Plan,
    since: Timestamp,
    now: Timestamp,
) -> Result<Chosen<'a>, String> {
    let takes = |image: &Image| {
        eviction::last_use(inventory, image) < since && is_own(&inventory.root, image)
    };
    let mut grace = Grace::new(inventory, LINK_GRACE, now);
    let mut images = Vec::new();
    let (mut least, mut goal) = (plan.least, plan.goal);
    for image in eviction::candidates(inventory, takes) {
        if goal.is_met() {
            break;
        }
        if !grace.keeps(image) {
            (least, goal) = (least.after(image), goal.after(image));
            images.push(image);
        }
    }
    if !least.is_met() {
        let frees: u64 = images.iter().map(|image| image.size).sum();
        return Err(format!(
            "{plan}; the images that served no job since {} have {}",
            format::day(since),
            format::size(frees)
        ));
    }
    let is_linked = |image: &&Image| linked::can_be_linked(settings, &inventory.root, image);
    let linked = grace.since.filter(|_| images.iter().any(is_linked));
    Ok(Chosen { images, since: linked.map_or(since, |linked| linked.min(since)) })
}

/// Whether sifcache added the image, and its removal frees its size on the file system of the root:
/// it has a record, its directories are in the root, and all names of the file are names of images.
fn is_own(root: &Path, image: &Image) -> bool {
    let Ok(real_root) = fs::canonicalize(root) else { return false };
    let Ok(device) = fs::metadata(root).map(|metadata| metadata.dev()) else { return false };
    let mut links = 0;
    let is_here = image.names.iter().all(|name| {
        let path = root.join(name);
        let Ok(metadata) = path.symlink_metadata() else { return false };
        links += u64::from(!metadata.is_symlink());
        let is_image = image_name::reference(name).is_some();
        let file = fs::canonicalize(&path);
        let is_inside = file.is_ok_and(|file| file.starts_with(&real_root));
        is_image && is_inside && metadata.dev() == device
    });
    let file = image.names.first().and_then(|name| root.join(name).metadata().ok());
    image.record.is_some() && is_here && file.is_some_and(|file| file.nlink() == links)
}
