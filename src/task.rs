//! `slurm_spank_task_init`: decides on the task's own command and carries it out.
//!
//! This runs in the task's process, forked from slurmstepd, already as the user. So
//! a file server that hangs stalls this task and nothing of Slurm.

use crate::option::Wish;
use crate::spank::Spank;
use crate::{NAME, fault, option, report};
use sifcache_core::choice::{Choice, ENVIRONMENT, VALUES};
use sifcache_core::decision::{self, Decision, Verdict};
use sifcache_core::message;
use sifcache_core::settings::{OnMiss, Settings};
use std::path::PathBuf;

/// Exit status of a task that ends because its image is missing: `EX_NOINPUT` of
/// sysexits(3), an input that does not exist.
pub(crate) const MISSING: i32 = 66;

pub(crate) fn run(spank: &dyn Spank) {
    fault::point("task_init");
    let wish = option::of_task(spank);
    let Ok(settings) = Settings::parse(&spank.arguments()) else {
        return inactive(spank, wish.choice);
    };
    report::use_syslog(&settings);
    let command = spank.command();
    let decision =
        decision::decide(&command, &settings, wish.choice, &|name: &str| spank.variable(name));
    if decision.reference.is_some() {
        say_ignored(spank, &wish);
    }
    match decision.verdict {
        Verdict::Hit => hit(spank, &decision, decision::on_miss(wish.choice, &settings)),
        Verdict::Miss => miss(spank, &decision, &settings, wish.choice),
        Verdict::Pass(pass) => {
            report::pass(spank, wish.choice, &decision, pass);
            if wish.by_option && decision.launch.is_none() {
                hand_on(spank, wish.choice);
            }
        }
    }
}

/// A misspelt wish must not look like one that was granted.
fn say_ignored(spank: &dyn Spank, wish: &Wish) {
    if let Some(value) = &wish.ignored
        && spank.step().is_first_of_node()
    {
        let value = value.escape_ascii();
        spank.tell_user(&format!(
            "{NAME}: {ENVIRONMENT}={value} is ignored: valid values are {VALUES}\n"
        ));
    }
}

fn hit(spank: &dyn Spank, decision: &Decision, on_miss: OnMiss) {
    let (Some(path), Some(launch)) = (decision.hit(), decision.launch) else { return };
    match spank.replace(launch.image_index, path) {
        Ok(()) => report::hit(spank, decision, path),
        Err(error) => {
            log::warn!("cannot put {} into the command: {error}", path.display());
            // For whoever will have no pull, this is as good as a miss.
            if on_miss == OnMiss::Fail {
                let path = path.display();
                if spank.step().is_first_of_node() {
                    let line = format!("{NAME}: cannot put {path} into the command: {error}\n");
                    spank.tell_user(&line);
                }
                spank.end_task(MISSING);
            }
        }
    }
}

fn miss(spank: &dyn Spank, decision: &Decision, settings: &Settings, choice: Choice) {
    let on_miss = decision::on_miss(choice, settings);
    report::miss(spank, decision, on_miss != OnMiss::Pull);
    if on_miss == OnMiss::Pull {
        return;
    }
    let step = spank.step();
    // All tasks of a step run the same command: one of each node speaks for them.
    match (step.is_first_of_node(), step.node) {
        (true, 0) => spank.tell_user(&message::miss(decision, settings, choice, on_miss)),
        (true, _) => {
            let name = report::node_name(spank);
            spank.tell_user(&message::short_miss(decision, settings, &name));
        }
        (false, _) => {}
    }
    if on_miss == OnMiss::Fail {
        spank.end_task(MISSING);
    }
}

/// The settings are wrong. Jobs run as without us, but who asked for `require` did
/// not ask for a pull.
fn inactive(spank: &dyn Spank, choice: Choice) {
    if choice != Choice::Require {
        return;
    }
    let nowhere = Settings::with_roots(Vec::<PathBuf>::new());
    let command = spank.command();
    let decision = decision::decide(&command, &nowhere, choice, &|name: &str| spank.variable(name));
    let Some(reference) = decision.reference.filter(|_| decision.verdict == Verdict::Miss) else {
        return;
    };
    if spank.step().is_first_of_node() {
        spank.tell_user(&format!(
            "{NAME}: {reference} cannot be looked up: the settings in plugstack.conf are not valid \
             on this node\n{NAME}: the task ends here because of --sif-cache=require (or \
             SIF_CACHE=require); tell the admins, or use --sif-cache=off\n"
        ));
    }
    spank.end_task(MISSING);
}

/// The task is no launch, but what it starts may be one: a batch script's srun.
fn hand_on(spank: &dyn Spank, choice: Choice) {
    if let Err(error) = spank.set_variable(ENVIRONMENT, choice.as_str()) {
        log::warn!("cannot hand --sif-cache on: {error}");
    }
}

#[cfg(test)]
mod tests;
