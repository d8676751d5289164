//! A row of the page: a quantity, its floor, and what is above it.

use crate::page::{signed, time};
use crate::statistics::{Difference, difference, summary};
use serde::{Deserialize, Serialize};

/// The values of a row. Times are in seconds, memory is in MB.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Row {
    /// The quantity.
    pub(super) what: String,
    /// What the floor is.
    pub(super) floor_name: String,
    /// The floor; `None` if there is none.
    pub(super) floor: Option<f64>,
    /// What cannot be avoided, if that is measured.
    #[serde(default)]
    pub(super) bare: Option<Value>,
    /// An older commit, with BASELINE.
    pub(super) older: Option<Value>,
    /// The present code.
    pub(super) present: Value,
    /// The target.
    pub(super) target: Option<f64>,
    /// How values and the target are shown.
    pub(super) shown: Shown,
    /// The processor seconds of the floor, if they are known.
    pub(super) floor_cpu: Option<f64>,
}

/// A value of a row.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Value {
    /// The median.
    pub(super) median: f64,
    /// The difference from the floor: of the medians, or by round if the interval is known.
    pub(super) above: f64,
    /// The 95 % confidence interval of the difference.
    pub(super) interval: Option<(f64, f64)>,
    /// The processor seconds, if they are known.
    pub(super) cpu: Option<f64>,
}

/// How the values of a row are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Shown {
    /// As times above the floor.
    Above,
    /// As multiples of the floor.
    Times,
    /// As MB, without a floor.
    Memory,
}

impl Value {
    /// A value whose rounds were those of the floor.
    pub(super) fn paired(values: &[f64], floor: &[f64]) -> Self {
        let Difference { median, low, high } = difference(values, floor);
        Self {
            median: summary(values).median,
            above: median,
            interval: Some((low, high)),
            cpu: None,
        }
    }
}

impl Row {
    /// A row of times above a floor, from rounds.
    pub(super) fn new(
        what: &str,
        floor_name: &str,
        floor: &[f64],
        present: &[f64],
        older: Option<&[f64]>,
        target: Option<f64>,
    ) -> Self {
        Self {
            what: what.to_owned(),
            floor_name: floor_name.to_owned(),
            floor: Some(summary(floor).median),
            bare: None,
            older: older.map(|values| Value::paired(values, floor)),
            present: Value::paired(present, floor),
            target,
            shown: Shown::Above,
            floor_cpu: None,
        }
    }

    /// The median of these seconds, as text.
    pub(super) fn time(seconds: &[f64]) -> String {
        time(summary(seconds).median)
    }

    /// The cell of the floor.
    pub(super) fn floor_cell(&self) -> String {
        match self.floor {
            Some(floor) => {
                let cpu = self
                    .floor_cpu
                    .map_or(String::new(), |cpu| format!(", processor {}", time(cpu)));
                format!("{}, {}{cpu}", self.floor_name, time(floor))
            }
            None => self.floor_name.clone(),
        }
    }

    /// The cell of a value.
    pub(super) fn cell(&self, value: Value) -> String {
        match self.shown {
            Shown::Memory => format!("{:.0} MB", value.median),
            Shown::Times => {
                let times = |value: f64, floor: Option<f64>| {
                    format!("{}, {:.2} times", time(value), value / floor.unwrap_or_default())
                };
                let cpu = value.cpu.map(|cpu| times(cpu, self.floor_cpu));
                let cpu = cpu.map_or(String::new(), |text| format!("; processor {text}"));
                times(value.median, self.floor) + &cpu
            }
            Shown::Above => {
                let interval = value.interval.map_or(String::new(), |(low, high)| {
                    format!(" ({} to {})", signed(low), signed(high))
                });
                format!("{}{interval}", signed(value.above))
            }
        }
    }

    /// The cell of the target, and whether the present code meets it.
    pub(super) fn target_cell(&self) -> String {
        let Some(target) = self.target else { return String::new() };
        let (text, value) = match self.shown {
            Shown::Memory => (format!("{target:.0} MB"), self.present.median),
            Shown::Times => {
                (format!("{target:.0} times"), self.present.median / self.floor.unwrap_or_default())
            }
            Shown::Above => (signed(target), self.present.above),
        };
        format!("{text}: {}", if value <= target { "met" } else { "**missed**" })
    }
}
