//! What sifcache costs above a floor that is measured in the same run, and an older commit next to
//! it.

mod install;
mod libraries;
mod nested;
mod part;
mod plugin;
mod profile;

pub(crate) use install::Files;

use anyhow::Result;
use part::Part;
use std::io::Write as _;

/// Measures the parts on the cluster that `SIFCACHE_TESTBED_NAME` names, and prints their table.
///
/// # Errors
/// A file is missing or a program fails.
pub(crate) fn profile(files: &Files, runs: usize) -> Result<()> {
    let older = files.older()?.unwrap_or_default();
    let builds = files.install()?;
    let mut parts: Vec<Part> = plugin::measure(runs, &builds)?;
    parts.extend(nested::measure(runs, &builds)?);
    let text = profile::table(&parts, &older) + &libraries::table(&builds)?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
