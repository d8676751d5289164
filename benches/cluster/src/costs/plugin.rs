//! The parts of the plugin, in a program that loads plugins as slurmstepd does (`benches/host`).

use super::install::{BARE_PLUGIN, FILE, FIREWALL, HOST, IMAGE, IN_MEMORY, Installed, ROOT};
use super::part::{Bare, Cost, NO_DISK, Part};
use crate::testbed;
use anyhow::{Context, Result};
use serde_json::Value;
use sifcache_core::nested::shims::LINKED;
use sifcache_core::nested::{self, SETTINGS};
use std::collections::BTreeMap;

/// The settings of a plugin.
struct Settings {
    /// Their name in a part.
    name: &'static str,
    root: &'static str,
    /// The settings besides the image root.
    more: &'static str,
    /// What `bare.so` must know besides.
    bare: &'static str,
}

const DEFAULT: Settings = Settings { name: "default settings", root: ROOT, more: "", bare: "" };

const OF_HITS: [Settings; 5] = [
    DEFAULT,
    Settings { name: NO_DISK, root: IN_MEMORY, bare: "helper", ..DEFAULT },
    Settings { name: "`lookup_timeout=off`", more: "lookup_timeout=off", ..DEFAULT },
    Settings { name: "`syslog=off`", more: "syslog=off", ..DEFAULT },
    Settings {
        name: "`lookup_timeout=off syslog=off`",
        more: "lookup_timeout=off syslog=off",
        ..DEFAULT
    },
];

/// A task that inherits both variables, like that of each step that a job script starts.
pub(super) const INHERITED: &str = "`task_init`, no launch, in a job script";

/// The floor of each part.
const FLOOR: &str = "an empty plugin";

/// Measures `runs` lifetimes of each plugin for each kind of command.
///
/// # Errors
/// A plugin cannot be loaded.
pub(super) fn measure(runs: usize, builds: &[Installed]) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let none = measured(runs, builds, &[DEFAULT], "", "true")?;
    for (name, stage) in [
        ("loading the library", "load"),
        ("symbols that Slurm looks up", "symbols"),
        ("`init`", "init"),
        ("`task_init`, no launch", "task_init"),
        ("unloading the library", "unload"),
    ] {
        let bare = match stage {
            "load" => Some(("a plugin in Rust that only catches panics", &none.firewall)),
            "task_init" => none.bare.first().map(|bare| ("the same two variables, in C", bare)),
            _ => None,
        };
        parts.push(part(name, stage, &none, 0, bare)?);
    }
    let inherited =
        format!("PATH={}:$PATH {SETTINGS}=image_root={ROOT} ", nested::installed(LINKED));
    let covered = measured(runs, builds, &[DEFAULT], &inherited, "true")?;
    parts.push(part(INHERITED, "task_init", &covered, 0, None)?);
    for (kind, image) in [("a pass", format!("{ROOT}/{FILE}")), ("a miss", format!("{IMAGE}0"))] {
        let all = measured(runs, builds, &[DEFAULT], "", &format!("apptainer exec {image} true"))?;
        parts.push(part(&format!("`task_init`, {kind}"), "task_init", &all, 0, None)?);
    }
    let hits = measured(runs, builds, &OF_HITS, "", &format!("apptainer exec {IMAGE} true"))?;
    for (at, Settings { name, .. }) in OF_HITS.iter().enumerate() {
        let bare = hits.bare.get(at).map(|bare| ("the same system calls, in C", bare));
        parts.push(part(&format!("`task_init`, a hit, {name}"), "task_init", &hits, at, bare)?);
    }
    Ok(parts)
}

/// The output of the host program for an empty plugin, for plugins without decisions, and for each
/// of the settings with each build.
struct Measured {
    empty: Value,
    firewall: Value,
    /// By setting.
    bare: Vec<Value>,
    /// By setting, then by build.
    ours: Vec<Vec<Value>>,
}

fn measured(
    runs: usize,
    builds: &[Installed],
    settings: &[Settings],
    variables: &str,
    command: &str,
) -> Result<Measured> {
    let empty = format!("{}/empty.so", testbed::plugin_directory()?);
    let bare = settings.iter().map(|Settings { root, more, bare, .. }| {
        format!("{BARE_PLUGIN} image_root={root} image={FILE} {more} {bare}")
    });
    let lines = settings.iter().flat_map(|Settings { root, more, .. }| {
        builds.iter().map(move |build| format!("{} image_root={root} {more}", build.plugin))
    });
    let given: String = [empty, FIREWALL.to_owned()]
        .into_iter()
        .chain(bare)
        .chain(lines)
        .map(|line| format!(" --plugin '{line}'"))
        .collect();
    let script = format!("{variables}{HOST} --instructions --runs {runs}{given} -- {command}");
    let mut said: Value = serde_json::from_str(&testbed::on("n1", &script)?)?;
    let all = said.get_mut("plugins").and_then(Value::as_array_mut).context("no plugins")?;
    let mut all = std::mem::take(all).into_iter();
    let empty = all.next().context("no plugin")?;
    let firewall = all.next().context("no second plugin")?;
    let bare = all.by_ref().take(settings.len()).collect();
    let ours: Vec<Value> = all.collect();
    let ours = ours.chunks(builds.len()).map(<[Value]>::to_vec).collect();
    Ok(Measured { empty, firewall, bare, ours })
}

fn part(
    name: &str,
    stage: &str,
    all: &Measured,
    setting: usize,
    bare: Option<(&str, &Value)>,
) -> Result<Part> {
    let ours = all.ours.get(setting).context("no such setting")?;
    let bare = bare.map(|(name, plugin)| -> Result<Bare> {
        Ok(Bare { name: name.to_owned(), cost: cost(plugin, stage)? })
    });
    Ok(Part {
        name: name.to_owned(),
        floor_name: FLOOR.to_owned(),
        floor: cost(&all.empty, stage)?,
        bare: bare.transpose()?,
        present: cost(ours.first().context("no plugin")?, stage)?,
        older: ours.get(1).map(|plugin| cost(plugin, stage)).transpose()?,
    })
}

fn cost(plugin: &Value, stage: &str) -> Result<Cost> {
    let stage = plugin.get("steps").and_then(|steps| steps.get(stage)).context("no stage")?;
    let number = |key: &str| stage.get(key).and_then(Value::as_f64).with_context(|| key.to_owned());
    let mut names = BTreeMap::new();
    for name in stage.get("names").and_then(Value::as_array).into_iter().flatten() {
        *names.entry(name.as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    Ok(Cost {
        us: number("median_us")?,
        faults: number("page_faults")?,
        instructions: number("instructions")?,
        calls: number("calls")?,
        names,
        more: None,
    })
}
