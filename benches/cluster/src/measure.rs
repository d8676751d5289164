//! A complete run, from an empty cluster to results.

use crate::experiment::{Experiment, Taken};
use crate::experiments::{Effort, command, images, launches, nested, srun, users};
use crate::results::{Group, Results};
use crate::site::{self, LINE};
use crate::{calls, hooks, in_process, machine, testbed};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The parameters of a run.
pub(crate) struct Run {
    /// The directory of the built plugin, shim, interposer and command.
    pub(crate) build: PathBuf,
    /// The directory of the host program.
    pub(crate) host: PathBuf,
    /// How often the runs are repeated.
    pub(crate) effort: Effort,
    /// Further plugins for the host program, lines of plugstack.conf.
    pub(crate) plugins: Vec<String>,
}

impl Run {
    /// Measures everything on the cluster that `SIFCACHE_TESTBED_NAME` names.
    pub(crate) fn measure(&self) -> Result<Results> {
        let bar = progress()?;
        bar.set_message("making the cluster ready");
        self.prepare()?;
        let groups = self.groups(&bar)?;
        bar.set_message("the hooks in the host program");
        let hooks = hooks::measure(self.effort.rounds(1000), &commands(), &self.plugins)?;
        bar.set_message("system calls");
        let calls = calls::count(self.effort.rounds(3))?;
        bar.set_message("in a process");
        let in_process = in_process::measure(self.effort.quick)?;
        bar.finish_and_clear();
        let library = self.build.join("libspank_sifcache.so");
        let size = |size: u32| Ok((size, site::sif_size(size)?));
        Ok(Results {
            machine: machine::describe()?,
            shuffled: true,
            groups,
            sif_sizes: self.sizes().map(size).collect::<Result<_>>()?,
            hooks,
            calls,
            in_process,
            library: site::kilobytes(&library)?,
            exported: exported(&library)?,
        })
    }

    /// The sizes of the images, in MB.
    fn sizes(&self) -> impl Iterator<Item = u32> {
        let count = if self.effort.quick { 1 } else { images::SIZES.len() };
        images::SIZES.into_iter().take(count)
    }

    /// The numbers of users who start an image at once.
    fn counts(&self) -> impl Iterator<Item = u32> {
        let count = if self.effort.quick { 1 } else { users::COUNTS.len() };
        users::COUNTS.into_iter().take(count)
    }

    fn prepare(&self) -> Result<()> {
        site::install(&self.build, &self.host)?;
        site::fill(self.sizes().chain([users::IMAGE]))?;
        site::users(self.counts().max().unwrap_or_default())?;
        command::make()
    }

    fn groups(&self, bar: &ProgressBar) -> Result<Vec<Group>> {
        let effort = self.effort;
        let alone: [(Experiment, Way); 8] = [
            (srun::one_task(effort), testbed::measure),
            (srun::many_tasks(effort), testbed::measure),
            (launches::hit_and_pass(effort), testbed::measure),
            (launches::miss(effort), testbed::measure),
            (launches::many_tasks(effort), testbed::measure),
            (nested::launch(effort), in_job),
            (nested::alone(effort), in_job),
            (nested::any_program(effort), in_job),
        ];
        let sizes = self.sizes().map(|size| images::start(effort, size));
        let counts = self.counts().map(|count| users::start(effort, count));
        let others = sizes.chain(counts).chain([command::large_cache(effort)]);
        let others = others.map(|experiment| (experiment, testbed::measure as Way));
        let measure = |(experiment, how): (Experiment, Way)| {
            bar.set_message(experiment.name.clone());
            Ok(Group::new(&experiment, &how(&experiment)?))
        };
        alone.into_iter().chain(others).map(measure).collect()
    }
}

type Way = fn(&Experiment) -> Result<Vec<Taken>>;

/// Takes the measurements inside a job. The job has the variables of sifcache only if
/// plugstack.conf contains the line of sifcache.
fn in_job(experiment: &Experiment) -> Result<Vec<Taken>> {
    let plugstack = testbed::at("ctl", "/etc/slurm/plugstack.conf")?;
    fs::write(&plugstack, LINE).context("plugstack.conf")?;
    testbed::measure_in_job(experiment)
}

/// The commands for the hooks in the host program: kind and command line.
fn commands() -> [(&'static str, &'static str); 4] {
    [
        ("no launch", "true"),
        ("a pass", "apptainer exec /shared/sif/bench/env:10 true"),
        ("a hit", "apptainer exec docker://bench/env:10 true"),
        ("a miss", "apptainer exec docker://bench/none:10 true"),
    ]
}

fn exported(library: &std::path::Path) -> Result<Vec<String>> {
    let said = testbed::output(Command::new("nm").args(["-D", "--defined-only"]).arg(library), "")?;
    let name = |line: &str| line.split_whitespace().last().map(str::to_owned);
    Ok(said.lines().filter_map(name).collect())
}

fn progress() -> Result<ProgressBar> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}")?);
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    Ok(bar)
}
