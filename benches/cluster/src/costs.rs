//! What sifcache costs above a floor that is measured in the same run, and an older commit next to
//! it.

mod command;
mod daemon;
mod install;
mod libraries;
mod nested;
mod page;
mod part;
mod plugin;
mod profile;
mod row;
mod scale;
mod srun;

pub(crate) use command::run as command;
pub(crate) use install::Files;

use anyhow::{Context, Result};
use part::Part;
use row::Row;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Measures the parts on the cluster that `SIFCACHE_TESTBED_NAME` names, and prints their table.
///
/// # Errors
/// A file is missing or a program fails.
pub(crate) fn profile(files: &Files, runs: usize) -> Result<()> {
    let parts = parts(files, runs)?;
    let text = profile::table(&parts.parts, &parts.measured.older_name()) + &parts.libraries;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// When and what was measured.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    date: String,
    /// The present commit.
    present: String,
    /// The older commit.
    older: Option<String>,
    /// How often each variant ran.
    rounds: String,
}

/// The parts of a launch.
#[derive(Serialize, Deserialize)]
struct Parts {
    measured: Measured,
    parts: Vec<Part>,
    /// The table of the files.
    libraries: String,
}

/// Rows of the result.
#[derive(Serialize, Deserialize)]
struct Rows {
    measured: Measured,
    rows: Vec<Row>,
}

/// All results. What was not measured is missing.
struct Costs {
    parts: Option<Parts>,
    srun: Option<Rows>,
    scale: Option<Rows>,
}

impl Measured {
    fn now(baseline: Option<&Path>, rounds: String) -> Result<Self> {
        let mut log = Command::new("git");
        log.current_dir(crate::testbed::project()).args(["log", "-1", "--format=%h of %as"]);
        let present = crate::testbed::output(&mut log, "").unwrap_or_default();
        Ok(Self {
            date: jiff::Zoned::now().strftime("%Y-%m-%d").to_string(),
            present: present.trim().to_owned(),
            older: baseline.map(install::name).transpose()?,
            rounds,
        })
    }

    fn older_name(&self) -> String {
        self.older.clone().unwrap_or_default()
    }
}

fn parts(files: &Files, runs: usize) -> Result<Parts> {
    let measured = Measured::now(files.baseline.as_deref(), format!("{runs} runs"))?;
    let builds = files.install()?;
    let mut parts = plugin::measure(runs, &builds)?;
    parts.extend(nested::measure(runs, &builds)?);
    Ok(Parts { measured, parts, libraries: libraries::table(&builds)? })
}

/// What to measure of the costs of launches.
#[derive(clap::Args)]
pub(crate) struct Launches {
    #[command(flatten)]
    files: Files,
    /// How often each part of a launch runs; with 0, the page has the earlier results.
    #[arg(long, default_value_t = 1000)]
    runs: usize,
    /// The rounds of `srun true`; with 0, likewise.
    #[arg(long, default_value_t = 1000)]
    rounds: usize,
}

impl Launches {
    /// Measures the launches on the cluster that `SIFCACHE_TESTBED_NAME` names. Writes the results
    /// into the directory `results`, and the page from all results there.
    ///
    /// # Errors
    /// A file is missing or a program fails.
    pub(crate) fn run(&self, results: &Path, into: &Path) -> Result<()> {
        if self.runs > 0 {
            write(&results.join("parts.json"), &parts(&self.files, self.runs)?)?;
        }
        if self.rounds > 0 {
            let measured =
                Measured::now(self.files.baseline.as_deref(), format!("{} rounds", self.rounds))?;
            let rows = srun::measure(self.rounds, &self.files.install()?)?;
            write(&results.join("srun.json"), &Rows { measured, rows })?;
        }
        render(results, into)
    }
}

/// What to measure of the command, on this machine.
#[derive(clap::Args)]
pub(crate) struct Large {
    /// The built command.
    #[arg(long)]
    command: PathBuf,
    /// The directory that benches/baseline printed, to measure an older commit too.
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// The number of images.
    #[arg(long, default_value_t = 100_000)]
    images: usize,
    /// The number of lines in the log.
    #[arg(long, default_value_t = 5_000_000)]
    lines: usize,
    /// How often each command runs.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

impl Large {
    /// Measures the command, and writes the results and the page, as [`Launches::run`] does.
    ///
    /// # Errors
    /// The disk is full or a command fails.
    pub(crate) fn run(self, results: &Path, into: &Path) -> Result<()> {
        let rounds = format!("{} rounds", self.rounds);
        let measured = Measured::now(self.baseline.as_deref(), rounds)?;
        let older = self.baseline.map(|baseline| baseline.join("tree/opt/baseline/bin/sifcache"));
        let commands = std::iter::once(self.command).chain(older).collect();
        let scale =
            scale::Scale { images: self.images, lines: self.lines, rounds: self.rounds, commands };
        let rows = scale.measure()?;
        write(&results.join("scale.json"), &Rows { measured, rows })?;
        render(results, into)
    }
}

fn render(results: &Path, into: &Path) -> Result<()> {
    let costs = Costs {
        parts: read(&results.join("parts.json"))?,
        srun: read(&results.join("srun.json"))?,
        scale: read(&results.join("scale.json"))?,
    };
    fs::write(into, page::page(&costs)).with_context(|| into.display().to_string())
}

fn write(path: &Path, results: &impl Serialize) -> Result<()> {
    fs::create_dir_all(path.parent().context("no directory")?)?;
    fs::write(path, serde_json::to_vec_pretty(results)?).with_context(|| path.display().to_string())
}

/// Reads results from a file. Returns `None` if the file does not exist.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read(path)?;
    serde_json::from_slice(&text).map(Some).with_context(|| path.display().to_string())
}
