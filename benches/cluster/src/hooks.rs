//! The hooks in the program that loads plugins as Slurm does, `benches/host`.

use crate::testbed;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The steps of a plugin's life that are told.
pub(crate) const STAGES: [&str; 5] = ["load", "symbols", "init", "task_init", "unload"];

/// One plugin with one command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Hooks {
    /// The plugin, and what the command is.
    pub(crate) name: String,
    /// For each of [`STAGES`]: median, tenth and ninetieth percentile in microseconds, system
    /// calls, page faults.
    pub(crate) stages: Vec<Stage>,
}

/// One step of a life.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stage {
    /// Microseconds.
    pub(crate) median: f64,
    /// Microseconds, the tenth percentile.
    pub(crate) p10: f64,
    /// Microseconds, the ninetieth.
    pub(crate) p90: f64,
    /// System calls.
    pub(crate) calls: f64,
    /// Page faults.
    pub(crate) faults: f64,
}

/// Lives of an empty plugin, of ours without a helper process and a line to syslog too, and of `others` (lines
/// of plugstack.conf), alternating, for each command, on n1.
pub(crate) fn measure(
    runs: usize,
    commands: &[(&str, &str)],
    others: &[String],
) -> Result<Vec<Hooks>> {
    let plugins = testbed::plugin_directory()?;
    let mut lines = vec![
        format!("{plugins}/empty.so"),
        format!("{plugins}/spank_sifcache.so image_root=/shared/sif"),
        format!("{plugins}/spank_sifcache.so image_root=/shared/sif patience=off"),
        format!("{plugins}/spank_sifcache.so image_root=/shared/sif patience=off syslog=off"),
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

/// A line by the name of its file and its arguments, where the image cache is no matter.
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
