//! Everything that one run has found: what the page, the chart and the README are made of.

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
    /// What it ran on: what, and its name or version.
    pub(crate) machine: Vec<(String, String)>,
    /// The experiments on the cluster.
    pub(crate) groups: Vec<Group>,
    /// For each image: MB of its layers, MB of its SIF.
    pub(crate) sif_sizes: Vec<(u32, f64)>,
    /// The hooks in the host program.
    pub(crate) hooks: Vec<Hooks>,
    /// System calls on the cluster.
    pub(crate) calls: Vec<Added>,
    /// Benchmarks in a process.
    pub(crate) in_process: Vec<Found>,
    /// KB of the plugin.
    pub(crate) library: f64,
    /// The symbols that it exports.
    pub(crate) exported: Vec<String>,
}

/// One experiment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Its name.
    pub(crate) name: String,
    /// Its variants; the first is what the others are compared with.
    pub(crate) variants: Vec<Line>,
}

/// One of its variants.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) name: String,
    /// What it is, for whoever wants to repeat it.
    pub(crate) command: String,
    /// Seconds.
    pub(crate) seconds: Summary,
    /// Seconds more than the first; none for that.
    pub(crate) more: Option<Difference>,
    /// Median of its gauge, if it has one.
    pub(crate) gauge: Option<f64>,
}

impl Group {
    /// Sums up what an experiment has taken.
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

/// The command of a variant, as it could be typed.
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
    /// The results that a run has left in this file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Leaves them there.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// An experiment.
    pub(crate) fn group(&self, name: &str) -> Result<&Group> {
        let group = self.groups.iter().find(|group| group.name == name);
        group.with_context(|| format!("no experiment '{name}'"))
    }
}

impl Group {
    /// The variant with this number.
    pub(crate) fn line(&self, at: usize) -> Result<&Line> {
        self.variants.get(at).with_context(|| format!("{}: no variant {at}", self.name))
    }
}
