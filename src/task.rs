//! `slurm_spank_task_init`: the task's own command, and what it will start.
//!
//! This runs in the task's process, forked from slurmstepd, already as the user. So
//! a file server that hangs stalls nothing of Slurm, and this task for `patience=` only.

use crate::job::Error;
use crate::spank::Spank;
use crate::wish::Wish;
use crate::{carry_out, fault, multi_prog, nested, option};
use sifcache_core::choice::ENVIRONMENT;
use sifcache_core::decision::{Decision, Pass, Verdict};
use sifcache_core::launch::NotLaunch;
use sifcache_core::settings::Settings;

pub(crate) fn run(spank: &dyn Spank) {
    fault::point("task_init");
    let wish = option::of_task(spank);
    let Ok(settings) = Settings::parse(&spank.arguments()) else {
        return carry_out::without_settings(spank, &wish);
    };
    if multi_prog::is_one(&spank.command()) {
        multi_prog::run(spank, &wish);
        return start_others(spank, &settings, &wish);
    }
    let decision = carry_out::carry_out(spank, &settings, &wish);
    if is_runtime(&decision) {
        // Decided, whatever came out: nothing is to decide once more.
        nested::uncover(spank, &settings);
        if decision.launch.is_none() {
            hand_on(spank, &wish);
        }
    } else {
        start_others(spank, &settings, &wish);
    }
}

/// The task is no launch, but what it starts may be one.
fn start_others(spank: &dyn Spank, settings: &Settings, wish: &Wish) {
    hand_on(spank, wish);
    nested::cover(spank, settings);
}

fn is_runtime(decision: &Decision) -> bool {
    use NotLaunch::{Empty, NotRuntime};
    !matches!(decision.verdict, Verdict::Pass(Pass::NotLaunch(Empty | NotRuntime)))
}

/// The name of the variable, `=`, a null byte, and the pointer to it.
const LONGER: usize = ENVIRONMENT.len() + 2 + size_of::<usize>();

/// The option reaches this step only; the steps and the launches of a script read the
/// variable.
fn hand_on(spank: &dyn Spank, wish: &Wish) {
    if !wish.by_option {
        return;
    }
    let value = wish.choice.as_str().as_bytes();
    let done = match spank.has_room(value.len() + LONGER) {
        true => spank.set_variable(ENVIRONMENT, value),
        false => Err(Error::NO_ROOM),
    };
    if let Err(error) = done {
        log::warn!("cannot hand --sif-cache on: {error}");
    }
}

#[cfg(test)]
mod tests;
