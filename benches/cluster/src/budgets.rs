//! The budgets of the design, and whether this run is within them. Those of times are on the page of
//! `costs`, next to a floor: no plugin costs less than an empty one.

use crate::results::Results;
use anyhow::{Context, Result};

/// A budget and the measured value.
pub(crate) struct Budget {
    /// The quantity that is limited.
    pub(crate) what: &'static str,
    /// The limit, as text.
    pub(crate) limit: &'static str,
    /// The measured value, as text.
    pub(crate) found: String,
    /// Whether the measured value is within the limit.
    pub(crate) kept: bool,
}

/// Returns all budgets, in the order of the design.
///
/// # Errors
/// The results lack an experiment.
pub(crate) fn all(results: &Results) -> Result<Vec<Budget>> {
    let mut budgets = vec![
        no_launch(results)?,
        hit_calls(results)?,
        ratio(results)?,
        library(results),
        symbols(results),
    ];
    // Results of older runs lack the view.
    budgets.extend(command(results, 2, "`sifcache view` of 10,000 images, new", "1 s", 1.0).ok());
    Ok(budgets)
}

/// System calls that take a path or the descriptor of a file.
const OF_FILES: [&str; 10] = [
    "openat",
    "openat2",
    "open",
    "statx",
    "newfstatat",
    "fstatfs",
    "readlink",
    "access",
    "faccessat2",
    "getdents64",
];

fn no_launch(results: &Results) -> Result<Budget> {
    let kinds = ["no launch", "a pass"];
    let added = results.calls.iter().filter(|added| kinds.contains(&added.task.as_str()));
    let count: i64 = added
        .flat_map(|added| &added.in_task)
        .filter(|(name, _)| OF_FILES.contains(&name.as_str()))
        .map(|(_, count)| count)
        .sum();
    Ok(Budget {
        what: "file system calls of a task that does not launch a docker image",
        limit: "none",
        found: count.to_string(),
        kept: count == 0,
    })
}

/// The measurements of the task hook on a hit, with and without a helper process.
fn hooks_of_a_hit(results: &Results) -> Result<[&crate::hooks::Stage; 2]> {
    let stage = |name: &str| {
        let hooks = results.hooks.iter().find(|hooks| hooks.name == name);
        hooks.and_then(|hooks| hooks.stages.get(3)).with_context(|| format!("no hooks '{name}'"))
    };
    Ok([stage("spank_sifcache.so, a hit")?, stage("spank_sifcache.so lookup_timeout=off, a hit")?])
}

fn hit_calls(results: &Results) -> Result<Budget> {
    let [ours, alone] = hooks_of_a_hit(results)?;
    Ok(Budget {
        what: "system calls of a hit with `lookup_timeout=off`",
        limit: "14",
        found: format!("{:.0}; with default settings {:.0}", alone.calls, ours.calls),
        kept: alone.calls <= 14.0,
    })
}

fn ratio(results: &Results) -> Result<Budget> {
    let group = results.group("a hit and a pass")?;
    let ratio = group.line(2)?.seconds.median / group.line(0)?.seconds.median;
    Ok(Budget {
        what: "`srun apptainer exec docker://X` with a hit, compared with the SIF's path",
        limit: "1.01 times",
        found: format!("{ratio:.3} times"),
        kept: ratio <= 1.01,
    })
}

fn library(results: &Results) -> Budget {
    Budget {
        what: "spank_sifcache.so, stripped",
        limit: "600 KB",
        found: format!("{:.0} KB", results.library),
        kept: results.library <= 600.0,
    }
}

fn symbols(results: &Results) -> Budget {
    let of_slurm = |name: &&String| name.starts_with("plugin_") || name.starts_with("slurm_spank_");
    let others = results.exported.iter().filter(|name| !of_slurm(name)).count();
    Budget {
        what: "exported symbols that Slurm does not look up",
        limit: "none",
        found: others.to_string(),
        kept: others == 0 && !results.exported.is_empty(),
    }
}

fn command(
    results: &Results,
    at: usize,
    what: &'static str,
    limit: &'static str,
    seconds: f64,
) -> Result<Budget> {
    let median = results.group("the `sifcache` command")?.line(at)?.seconds.median;
    Ok(Budget { what, limit, found: format!("{median:.2} s"), kept: median <= seconds })
}
