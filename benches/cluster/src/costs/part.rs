//! One part of sifcache, next to its floor.

use crate::statistics::Difference;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the default settings with an image root like one on a file server.
pub(super) const NO_DISK: &str = "default settings, image root not on a local disk";

/// The measurements of a part: what it costs anyway, and with sifcache.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part {
    /// The name of the part.
    pub(super) name: String,
    /// What the floor is.
    pub(super) floor_name: String,
    /// The floor, measured in the same rounds.
    pub(super) floor: Cost,
    /// What this part cannot avoid, above the floor, if that is measured.
    #[serde(default)]
    pub(super) bare: Option<Bare>,
    /// The present code.
    pub(super) present: Cost,
    /// An older commit, with BASELINE.
    pub(super) older: Option<Cost>,
}

/// A plugin or program with the effect of the part, but without any decision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bare {
    /// What it is.
    pub(super) name: String,
    /// Its costs.
    pub(super) cost: Cost,
}

/// The costs of one variant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Cost {
    /// Median, in microseconds.
    pub(super) us: f64,
    /// Page faults that need no disk.
    pub(super) faults: f64,
    /// Instructions in user mode.
    pub(super) instructions: f64,
    /// System calls.
    pub(super) calls: f64,
    /// System calls by name, if they are known.
    pub(super) names: BTreeMap<String, usize>,
    /// The difference from the floor by round, in microseconds, if it is known.
    pub(super) more: Option<Difference>,
}

impl Cost {
    /// The microseconds above the floor: the median of the differences by round if it is known,
    /// otherwise the difference of the medians.
    pub(super) fn above(&self, floor: &Self) -> f64 {
        self.more.map_or(self.us - floor.us, |more| more.median)
    }
}

impl Part {
    /// The columns: name of the variant, and its costs.
    pub(super) fn variants<'a>(
        &'a self,
        older: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Cost)> {
        let older = self.older.iter().map(move |cost| (older, cost));
        let bare = self.bare.iter().map(|bare| (bare.name.as_str(), &bare.cost));
        [(self.floor_name.as_str(), &self.floor)]
            .into_iter()
            .chain(bare)
            .chain(older)
            .chain([("today", &self.present)])
    }
}
