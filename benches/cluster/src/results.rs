//! The results of one run, from which the page, the chart and the README's table are generated.

use crate::calls::Added;
use crate::experiment::{Experiment, Taken};
use crate::hooks::Hooks;
use crate::in_process::Found;
use crate::statistics::{Difference, Summary, difference, summary};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// One run of `make bench`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The machine and the software: label, and name or version.
    pub(crate) machine: Vec<(String, String)>,
    /// Whether the variants had another order in each round.
    #[serde(default)]
    pub(crate) shuffled: bool,
    /// The experiments on the cluster.
    pub(crate) groups: Vec<Group>,
    /// For each image, the size of its layers and of its SIF, in MB.
    pub(crate) sif_sizes: Vec<(u32, f64)>,
    /// The measurements of the hooks in the host program.
    pub(crate) hooks: Vec<Hooks>,
    /// The system calls on the cluster.
    pub(crate) calls: Vec<Added>,
    /// The benchmarks within a process.
    pub(crate) in_process: Vec<Found>,
    /// The size of the plugin, in KB.
    pub(crate) library: f64,
    /// The symbols that the plugin exports.
    pub(crate) exported: Vec<String>,
}

/// The results of one experiment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Its name.
    pub(crate) name: String,
    /// The variants. The others are compared with the first.
    pub(crate) variants: Vec<Line>,
}

/// The results of one variant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) name: String,
    /// The command, for repeating the measurement.
    pub(crate) command: String,
    /// The times, in seconds.
    pub(crate) seconds: Summary,
    /// The difference from the first variant, in seconds; `None` for the first.
    pub(crate) more: Option<Difference>,
    /// The median of its gauge, if it has one.
    pub(crate) gauge: Option<f64>,
}

impl Group {
    /// Summarizes the measurements of an experiment.
    pub(crate) fn new(experiment: &Experiment, taken: &[Taken]) -> Self {
        let first = taken.first().map(|taken| taken.seconds.as_slice()).unwrap_or_default();
        let line = |(at, taken): (usize, &Taken)| Line {
            name: taken.name.clone(),
            command: command(experiment, at),
            seconds: summary(&taken.seconds),
            more: (at > 0 && experiment.compared).then(|| difference(&taken.seconds, first)),
            gauge: (!taken.gauge.is_empty()).then(|| summary(&taken.gauge).median),
        };
        Self {
            name: experiment.name.clone(),
            variants: taken.iter().enumerate().map(line).collect(),
        }
    }
}

/// The command of a variant, as a user would type it.
fn command(experiment: &Experiment, at: usize) -> String {
    let Some(command) = experiment.variants.get(at).and_then(|v| v.commands.first()) else {
        return String::new();
    };
    let quoted = |word: &String| match word.contains(' ') {
        true => format!("'{word}'"),
        false => word.clone(),
    };
    let set = command.environment.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let variables = set.map(|(name, value)| format!("{name}={}", quoted(value)));
    variables.chain(command.words.iter().map(quoted)).collect::<Vec<_>>().join(" ")
}

impl Results {
    /// Reads the results of a run from a file.
    ///
    /// # Errors
    /// The file cannot be read or has a different format.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Writes the results to a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// The experiment of this name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn group(&self, name: &str) -> Result<&Group> {
        let group = self.groups.iter().find(|group| group.name == name);
        group.with_context(|| format!("no experiment '{name}'"))
    }
}

impl Group {
    /// The variant with this index.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn line(&self, at: usize) -> Result<&Line> {
        self.variants.get(at).with_context(|| format!("{}: no variant {at}", self.name))
    }
}
