//! Reads the results of criterion for `benches/decide.rs`.

use crate::testbed::project;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The result of one benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Found {
    /// Group and name.
    pub(crate) name: String,
    /// The median, in nanoseconds. `low` and `high` are its confidence interval of 95 %.
    pub(crate) median: f64,
    /// Lower end of the interval, in nanoseconds.
    pub(crate) low: f64,
    /// Upper end of the interval, in nanoseconds.
    pub(crate) high: f64,
}

/// Runs the benchmarks and reads the results that criterion stores in `target/criterion`.
pub(crate) fn measure(quick: bool) -> Result<Vec<Found>> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or(project().join("target"), PathBuf::from);
    let target = target.join("criterion");
    // Results of earlier runs may have names that this run does not measure.
    let _ = fs::remove_dir_all(&target);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(project()).args([
        "bench",
        "--quiet",
        "--locked",
        "-p",
        "cluster-bench",
        "--bench",
        "decide",
        "--",
    ]);
    cargo.args(["--noplot", "--warm-up-time", "1", "--measurement-time"]);
    cargo.args(if quick { ["1", "--quick"] } else { ["1", "--quiet"] });
    crate::testbed::output(&mut cargo, "")?;
    let mut found = Vec::new();
    collect(&target, &mut found)?;
    found.sort_by_key(|found| by_number(&found.name));
    Ok(found)
}

/// A sort key of a name that compares numbers by value, so that 9 is before 10.
fn by_number(name: &str) -> Vec<(u64, String)> {
    let words = name.split_inclusive([' ', '/']);
    words.map(|word| (word.trim().parse().unwrap_or_default(), word.to_owned())).collect()
}

fn collect(directory: &Path, found: &mut Vec<Found>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name == "new") {
            found.push(read(&path)?);
        } else if path.is_dir() {
            collect(&path, found)?;
        }
    }
    Ok(())
}

fn read(directory: &Path) -> Result<Found> {
    let json = |name: &str| -> Result<Value> {
        Ok(serde_json::from_str(&fs::read_to_string(directory.join(name))?)?)
    };
    let (about, estimates) = (json("benchmark.json")?, json("estimates.json")?);
    let name = about.get("full_id").and_then(Value::as_str).context("no name")?.to_owned();
    let median = estimates.get("median").context("no median")?;
    let interval = median.get("confidence_interval").context("no interval")?;
    let number = |of: &Value, key: &str| of.get(key).and_then(Value::as_f64).context("no number");
    Ok(Found {
        name,
        median: number(median, "point_estimate")?,
        low: number(interval, "lower_bound")?,
        high: number(interval, "upper_bound")?,
    })
}
