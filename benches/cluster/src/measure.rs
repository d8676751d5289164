//! A whole run, from an empty cluster to results.

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

/// What a run is asked for.
pub(crate) struct Run {
    /// Where the built plugin, shim, interposer and command are.
    pub(crate) build: PathBuf,
    /// Where the host program is.
    pub(crate) host: PathBuf,
    /// How often things are done.
    pub(crate) effort: Effort,
    /// Further plugins for the host program, lines of plugstack.conf.
    pub(crate) plugins: Vec<String>,
}

impl Run {
    /// Measures everything on the cluster that `SIFCACHE_TESTBED_NAME` names.
    pub(crate) fn measure(&self) -> Result<Results> {
        let (effort, bar) = (self.effort, progress()?);
        let sizes: &[u32] = if effort.quick { &[launches::SMALL] } else { &images::SIZES };
        let counts: &[u32] = if effort.quick { &[2] } else { &users::COUNTS };
        bar.set_message("making the cluster ready");
        site::install(&self.build, &self.host)?;
        let all: Vec<u32> = sizes.iter().copied().chain([users::IMAGE]).collect();
        site::fill(&all)?;
        site::users(counts.iter().copied().max().unwrap_or_default())?;
        command::make()?;
        let mut groups = Vec::new();
        let mut measure = |experiment: Experiment, how: Way| -> Result<()> {
            bar.set_message(experiment.name.clone());
            let taken = how(&experiment)?;
            groups.push(Group::new(&experiment, &taken));
            Ok(())
        };
        measure(srun::one_task(effort), testbed::measure)?;
        measure(srun::many_tasks(effort), testbed::measure)?;
        measure(launches::hit_and_pass(effort), testbed::measure)?;
        measure(launches::miss(effort), testbed::measure)?;
        measure(launches::many_tasks(effort), testbed::measure)?;
        for experiment in [nested::launch(effort), nested::alone(effort), nested::any_program(effort)] {
            measure(experiment, in_job)?;
        }
        for size in sizes {
            measure(images::start(effort, *size), testbed::measure)?;
        }
        for count in counts {
            measure(users::start(effort, *count), testbed::measure)?;
        }
        measure(command::large_cache(effort), testbed::measure)?;
        bar.set_message("the hooks in the host program");
        let hooks = hooks::measure(effort.rounds(1000), &commands(), &self.plugins)?;
        bar.set_message("system calls");
        let calls = calls::count(effort.rounds(5))?;
        bar.set_message("in a process");
        let in_process = in_process::measure(effort.quick)?;
        bar.finish_and_clear();
        let library = self.build.join("libspank_sifcache.so");
        let size = |size: &u32| Ok((*size, site::sif_size(*size)?));
        Ok(Results {
            machine: machine::describe()?,
            groups,
            sif_sizes: all.iter().map(size).collect::<Result<_>>()?,
            hooks,
            calls,
            in_process,
            library: site::kilobytes(&library)?,
            exported: exported(&library)?,
        })
    }
}

type Way = fn(&Experiment) -> Result<Vec<Taken>>;

/// In a job, which has our variables only with our line.
fn in_job(experiment: &Experiment) -> Result<Vec<Taken>> {
    let plugstack = testbed::at("ctl", "/etc/slurm/plugstack.conf")?;
    fs::write(&plugstack, LINE).context("plugstack.conf")?;
    testbed::measure_in_job(experiment)
}

/// What the hooks are given in the host program.
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
