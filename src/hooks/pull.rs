//! A pull as the task's own command: it is left to the shim, which answers it or executes the
//! runtime.
//!
//! The plugin itself could not answer it: Slurm executes a command in any case. If the command is a
//! name without a slash, slurmstepd finds the shim in the task's `PATH`. Otherwise the plugin
//! prepends the shim to the command, for which Slurm before 23.11 has no function.

use crate::NAME;
use crate::decide::report;
use crate::decide::requested_mode::RequestedMode;
use crate::hooks::step_settings::StepSettings;
use crate::hooks::{multi_prog, nested};
use crate::job::Job;
use crate::spank::Spank;
use crate::spank::installed::Component;
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::image_uri::ImageUri;
use sifcache_core::pull;
use sifcache_core::settings::{Nested, Pull, Settings};

/// Whether the task's command is a pull of an image that can be looked up.
pub(crate) fn is_one(spank: &dyn Spank, settings: &Settings, requested: &RequestedMode) -> bool {
    if settings.pull == Pull::Off || requested.mode == CacheMode::Off {
        return false;
    }
    image(spank, settings).is_some_and(|uri| ImageUri::parse(&uri).is_ok())
}

/// Whether the command of `job` is a pull of any image.
pub(crate) fn is_pull(job: &dyn Job, settings: &Settings) -> bool {
    image(job, settings).is_some()
}

/// The URI in the command of `job`, if that is a pull.
fn image(job: &dyn Job, settings: &Settings) -> Option<Vec<u8>> {
    let command = job.command();
    let variable = |name: &str| job.variable(name);
    let pull = pull::find(&command, &settings.runtimes, &variable).ok()?;
    command.get(pull.image_index).map(|uri| uri.to_vec())
}

/// Makes Slurm execute the shim. If that is not possible, the runtime pulls.
#[cold]
pub(crate) fn run(spank: &dyn Spank, step: &StepSettings, requested: &RequestedMode) {
    if is_found_in_path(spank, &step.settings) {
        return nested::cover(spank, step);
    }
    nested::remove(spank);
    let done = match spank.missing(Component::Shim) {
        Some(why) => Err(why),
        None => multi_prog::prepend(spank, requested),
    };
    let Err(why) = done else { return };
    let why = format!("the shim cannot answer the pull: {why}");
    report::left_unchanged(spank, &why);
    if requested.mode == CacheMode::Require && spank.step().is_first_of_node() {
        let option = "--sif-cache=require (or SIF_CACHE=require)";
        spank.write_stderr(&format!("{NAME}: {option} has no effect on this command: {why}\n"));
    }
}

/// Whether slurmstepd finds the shim in the task's `PATH` once the plugin has put it there.
fn is_found_in_path(spank: &dyn Spank, settings: &Settings) -> bool {
    let command = spank.command();
    let Some(name) = command.first().filter(|name| !name.contains(&b'/')) else { return false };
    if settings.nested != Nested::Path || !spank.is_installed(Component::Shims) {
        return false;
    }
    let path = spank.variable("PATH").unwrap_or_default();
    let found = spank.runtimes(&settings.runtimes, &path);
    found.iter().any(|(number, ..)| {
        settings.runtimes.get(*number).is_some_and(|runtime| runtime.as_bytes() == *name)
    })
}
