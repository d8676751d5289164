//! `slurm_spank_task_init`: decides on the task's own command and prepares the launches that it may
//! start.
//!
//! This runs in the task's process, which slurmstepd has forked and which already runs as the user.
//! So a hung file server never blocks Slurm itself, and it blocks this task only for
//! `lookup_timeout=`.

use crate::decide::apply;
use crate::decide::requested_mode::RequestedMode;
use crate::decide::unknown_program;
use crate::fault;
use crate::hooks::broadcast::{self, Program};
use crate::hooks::container;
use crate::hooks::multi_prog;
use crate::hooks::nested;
use crate::hooks::option;
use crate::hooks::pull;
use crate::hooks::step_settings::{self, StepSettings};
use crate::job::{Error, Job};
use crate::spank::Spank;
use sifcache_core::cache_mode::ENVIRONMENT;
use sifcache_core::launch;
use sifcache_core::settings::{Pull, Settings};

/// Decides on the task's command and sets its environment.
#[inline(never)]
pub(crate) fn run(spank: &dyn Spank) {
    fault::point("task_init");
    spank.search_variables();
    let requested = option::requested_mode(spank);
    let program = broadcast::take(spank);
    let job: &dyn Job = match &program {
        Program::Copy(broadcast) => broadcast,
        Program::AsTyped | Program::Ambiguous => spank,
    };
    if spank.is_in_container() {
        return container::leave(spank, job, &requested);
    }
    step_settings::with(spank, |settings| match settings {
        Some(settings) => start(spank, job, settings, &program, &requested),
        None => apply::without_settings(job, &requested),
    });
}

/// Decides on a task of a step with valid settings.
fn start(
    spank: &dyn Spank,
    job: &dyn Job,
    step: &StepSettings,
    program: &Program<'_>,
    requested: &RequestedMode,
) {
    let (settings, command) = (&step.settings, spank.command());
    if multi_prog::is_configuration(&command) {
        multi_prog::run(spank, requested);
        return start_others(spank, step, requested);
    }
    let is_copy = matches!(program, Program::Copy(_));
    if is_runtime(&command, settings) || is_copy && is_runtime(&job.command(), settings) {
        return start_runtime(spank, job, &command, step, requested);
    }
    let is_ambiguous = matches!(program, Program::Ambiguous);
    unknown_program::warn(spank, settings, requested, is_ambiguous);
    start_others(spank, step, requested);
}

/// Whether this is a command of a runtime. Most tasks are not, and then nothing else of the command
/// is examined.
fn is_runtime(command: &[&[u8]], settings: &Settings) -> bool {
    command.first().is_some_and(|program| launch::is_runtime(program, &settings.runtimes))
}

/// Decides on a command of a runtime.
// The code of launches must not be between the code that every task runs.
#[inline(never)]
fn start_runtime(
    spank: &dyn Spank,
    job: &dyn Job,
    command: &[&[u8]],
    step: &StepSettings,
    requested: &RequestedMode,
) {
    // Most commands are not pulls, and this check is cheaper than parsing them.
    let has_pull = command.iter().any(|word| *word == b"pull");
    if has_pull && pull::is_one(spank, &step.settings, requested) {
        export_option(spank, requested);
        return pull::run(spank, step, requested);
    }
    // Only the shim answers pulls. A pull gets here if its image is not looked up, or if srun has
    // copied the program.
    let decision = match has_pull && pull::is_pull(job, &step.settings) {
        true => {
            let settings = Settings { pull: Pull::Off, ..step.settings.clone() };
            apply::apply(job, &settings, requested)
        }
        false => apply::apply(job, &step.settings, requested),
    };
    // The command has been decided on, so the shim must not decide again.
    nested::remove(spank);
    if decision.launch.is_none() && decision.action().is_none() {
        export_option(spank, requested);
    }
}

/// Prepares a task that is not a launch itself but may start launches.
fn start_others(spank: &dyn Spank, step: &StepSettings, requested: &RequestedMode) {
    export_option(spank, requested);
    nested::cover(spank, step);
}

/// The bytes besides the value: the name of the variable, `=`, a null byte, and a pointer.
const VARIABLE_OVERHEAD: usize = ENVIRONMENT.len() + 2 + size_of::<usize>();

/// Sets the variable from the option. The option itself reaches only this step; the steps and
/// launches that a script starts read the variable.
fn export_option(spank: &dyn Spank, requested: &RequestedMode) {
    if !requested.by_option {
        return;
    }
    let value = requested.mode.as_str().as_bytes();
    let done = match spank.fits_in_exec_limit(value.len() + VARIABLE_OVERHEAD) {
        true => spank.set_variable(ENVIRONMENT, value),
        false => Err(Error::TOO_LONG),
    };
    if let Err(error) = done {
        log::warn!("cannot pass --sif-cache on to launches of the task: {error}");
    }
}

#[cfg(test)]
mod tests;
