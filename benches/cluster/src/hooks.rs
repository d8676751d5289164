//! Measures the hooks in a program that loads plugins as Slurm does: `benches/host`.

use crate::testbed;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The measured steps from load to unload of a plugin.
pub(crate) const STAGES: [&str; 5] = ["load", "symbols", "init", "task_init", "unload"];

/// The measurements of one plugin with one command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hooks {
    /// The plugin and the kind of command.
    pub(crate) name: String,
    /// One entry for each of [`STAGES`].
    pub(crate) stages: Vec<Stage>,
}

/// The measurements of one step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stage {
    /// Median, in microseconds.
    pub(crate) median: f64,
    /// Tenth percentile, in microseconds.
    pub(crate) p10: f64,
    /// Ninetieth percentile, in microseconds.
    pub(crate) p90: f64,
    /// Number of system calls.
    pub(crate) calls: f64,
    /// Number of page faults.
    pub(crate) faults: f64,
}

/// For each command, measures these plugins in turn on n1: an empty plugin, sifcache with and
/// without a helper process and a line to syslog, and `others` (lines of plugstack.conf).
pub(crate) fn measure(
    runs: usize,
    commands: &[(&str, &str)],
    others: &[String],
) -> Result<Vec<Hooks>> {
    let plugins = testbed::plugin_directory()?;
    let mut lines = vec![
        format!("{plugins}/empty.so"),
        format!("{plugins}/spank_sifcache.so image_root=/shared/sif"),
        format!("{plugins}/spank_sifcache.so image_root=/shared/sif lookup_timeout=off"),
        format!("{plugins}/spank_sifcache.so image_root=/shared/sif lookup_timeout=off syslog=off"),
    ];
    lines.extend_from_slice(others);
    let mut all = Vec::new();
    for (kind, command) in commands {
        let given: String = lines.iter().map(|line| format!(" --plugin '{line}'")).collect();
        let script = format!("/usr/local/libexec/host --runs {runs}{given} -- {command}");
        let said: Value = serde_json::from_str(&testbed::on("n1", &script)?)?;
        let plugins = said.get("plugins").and_then(Value::as_array).context("no plugins")?;
        for (line, plugin) in lines.iter().zip(plugins) {
            all.push(hooks(format!("{}, {kind}", name(line)), plugin)?);
        }
    }
    Ok(all)
}

/// The name of a line: its file name and its arguments, without the image root, which is the same
/// for all.
fn name(line: &str) -> String {
    let mut words = line.split_whitespace();
    let file = words.next().and_then(|path| path.rsplit('/').next());
    let arguments = words.filter(|word| !word.starts_with("image_root="));
    file.into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}

fn hooks(name: String, plugin: &Value) -> Result<Hooks> {
    let stage = |name: &str| -> Result<Stage> {
        let stage = plugin.get("steps").and_then(|steps| steps.get(name)).context("no step")?;
        let number = |key: &str| stage.get(key).and_then(Value::as_f64).context("no number");
        Ok(Stage {
            median: number("median_us")?,
            p10: number("p10_us")?,
            p90: number("p90_us")?,
            calls: number("calls")?,
            faults: number("page_faults")?,
        })
    };
    Ok(Hooks { name, stages: STAGES.into_iter().map(stage).collect::<Result<_>>()? })
}
