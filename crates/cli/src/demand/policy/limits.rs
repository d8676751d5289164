//! The limits of a policy: rates, sizes and space.

use super::pattern;
use crate::cache::fill_level::Marks;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

/// The limits of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The number of pulls at a time, from 1 to 64.
    pub(crate) parallel: u32,
    /// The size of the largest image that is added, in bytes: of its layers, as the registry states
    /// it, or of the file, if no manifest states a size.
    pub(crate) max_size: u64,
    /// The longest time of a pull without any progress.
    pub(crate) stall: SignedDuration,
    /// The longest time of a download and its conversion.
    pub(crate) pull: SignedDuration,
    /// The marks of the file system and the budget of the image root.
    pub(crate) space: Space,
    /// An image is not removed if it may have started a job within this time before now.
    pub(crate) keep: SignedDuration,
    /// The waiting time after a failure.
    pub(crate) backoff: Backoff,
    /// Only users that asked within this time before now are counted.
    pub(crate) window: SignedDuration,
    /// The number of users that have to ask for an image.
    pub(crate) askers: u32,
    /// The pulls per hour, by the normal form of the registry's name.
    pub(super) per_hour: BTreeMap<String, u32>,
}

impl Limits {
    /// The number of pulls per hour from this registry; `None` if there is no limit.
    pub(crate) fn per_hour(&self, registry: &str) -> Option<u32> {
        self.per_hour.get(&pattern::registry(registry)).copied()
    }
}

/// The marks of the file system of the image root, and the budget of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Space {
    /// Of the file system's space, in use after a pull.
    pub(crate) bytes: Marks,
    /// Of the file system's inodes, in use after a pull.
    pub(crate) inodes: Marks,
    /// The largest total size of the images in the root, in bytes; `None` if there is no limit.
    pub(crate) max: Option<u64>,
    /// The nodes whose logs are not needed to remove images.
    pub(crate) without_nodes: BTreeSet<String>,
}

/// The waiting time after a failure. It doubles with each further failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// After the first failure.
    pub(crate) first: SignedDuration,
    /// The longest waiting time.
    pub(crate) longest: SignedDuration,
}
