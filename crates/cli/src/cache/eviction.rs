//! Chooses images for removal: the least recently used first, and only as many as needed.

pub(crate) mod linked;
pub(crate) mod proof;

use crate::cache::select::Inventory;
use crate::cache::store::path_trust;
use crate::cache::store::scan::Image;
use crate::ui::escape::escape_for_terminal;
use crate::ui::stderr;
use jiff::Timestamp;

/// The inodes that the removal of an image frees: its file and its record.
const INODES: u64 = 2;

/// How much a removal has to free.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) bytes: u64,
    pub(crate) inodes: u64,
}

impl Need {
    /// The need that covers both: the larger amount of each resource.
    pub(crate) fn max(self, other: Self) -> Self {
        Self { bytes: self.bytes.max(other.bytes), inodes: self.inodes.max(other.inodes) }
    }

    /// Whether nothing has to be freed.
    pub(crate) fn is_met(self) -> bool {
        self == Self::default()
    }

    /// What still has to be freed after the removal of the image.
    pub(crate) fn after(self, image: &Image) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(image.size),
            inodes: self.inodes.saturating_sub(INODES),
        }
    }
}

/// When the image last served a job, or was added if that is later.
pub(crate) fn last_use(inventory: &Inventory, image: &Image) -> Timestamp {
    inventory.last_used(image).map_or(image.added(), |served| served.max(image.added()))
}

/// The images that `takes` accepts and that can be removed safely, the least recently used first.
pub(crate) fn candidates(inventory: &Inventory, takes: impl Fn(&Image) -> bool) -> Vec<&Image> {
    let mut images: Vec<&Image> = inventory
        .images
        .iter()
        .filter(|image| takes(image))
        .filter(|image| is_safe_to_remove(inventory, image))
        .collect();
    images.sort_by_key(|image| last_use(inventory, image));
    images
}

/// Whether every name of the image is in a directory where no untrusted user could replace a path
/// component. If not, the image is skipped with a message, so that the others can still be removed.
fn is_safe_to_remove(inventory: &Inventory, image: &Image) -> bool {
    let names = image.names.iter().map(|name| inventory.root.join(name));
    let reason = names.filter_map(|path| path_trust::at(path.parent()?)).next();
    if let Some(reason) = &reason {
        let title = escape_for_terminal(image.title().as_ref());
        stderr::message(&format!("{title} is not removed: {}", path_trust::describe(reason)));
    }
    reason.is_none()
}
