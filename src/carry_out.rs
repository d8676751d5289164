//! Decides on one command and carries the decision out: the plugin for the command of a
//! task, the shim for a launch inside a script, both in the same way.

use crate::job::Job;
use crate::lookup_timeout::WithTimeout;
use crate::wish::Wish;
use crate::{NAME, report};
use sifcache_core::choice::{Choice, ENVIRONMENT, VALUES};
use sifcache_core::decision::{self, Decision, Verdict};
use sifcache_core::image::State;
use sifcache_core::lookup::Inline;
use sifcache_core::message;
use sifcache_core::settings::{OnMiss, Settings};
use std::path::{Path, PathBuf};

/// Exit status of a launch that ends because its image is missing: `EX_NOINPUT` of
/// sysexits(3), an input that does not exist.
pub const MISSING: i32 = 66;

/// Decides on the command of `job`, replaces IMAGE or ends the process as it takes, and
/// reports it.
pub fn carry_out(job: &dyn Job, settings: &Settings, wish: &Wish) -> Decision {
    report::use_syslog(settings);
    let command = job.command();
    let variable = |name: &str| job.variable(name);
    let prober = WithTimeout(settings.lookup_timeout);
    let decision = decision::decide(&command, settings, wish.choice, &variable, &prober);
    if decision.uri.is_some() {
        say_ignored(job, wish);
    }
    match decision.verdict {
        Verdict::Hit => hit(job, &decision, decision::on_miss(wish.choice, settings)),
        Verdict::Miss => miss(job, &decision, settings, wish.choice),
        Verdict::Pass(pass) => report::pass(job, wish.choice, &decision, pass),
    }
    decision
}

/// The same where there are no valid settings. Jobs run as without us, but who asked for
/// `require` did not ask for a pull.
pub fn without_settings(job: &dyn Job, wish: &Wish) {
    if wish.choice != Choice::Require {
        return;
    }
    let nowhere = Settings::with_roots(Vec::<PathBuf>::new());
    let command = job.command();
    let variable = |name: &str| job.variable(name);
    let decision = decision::decide(&command, &nowhere, wish.choice, &variable, &Inline);
    let Some(reference) = decision.reference().filter(|_| decision.verdict == Verdict::Miss) else {
        return;
    };
    if job.step().reports() {
        job.tell_user(&format!(
            "{NAME}: {reference} cannot be looked up: there are no valid settings in \
             plugstack.conf on this node\n{NAME}: the launch ends here because of \
             --sif-cache=require (or SIF_CACHE=require); tell the admins, or use --sif-cache=off\n"
        ));
    }
    job.end(MISSING);
}

/// A misspelt wish must not look like one that was granted.
fn say_ignored(job: &dyn Job, wish: &Wish) {
    if let Some(value) = &wish.ignored
        && job.step().reports()
    {
        let value = value.escape_ascii();
        job.tell_user(&format!(
            "{NAME}: {ENVIRONMENT}={value} is ignored: valid values are {VALUES}\n"
        ));
    }
}

fn hit(job: &dyn Job, decision: &Decision, on_miss: OnMiss) {
    let (Some(path), Some(launch)) = (decision.hit(), decision.launch) else { return };
    match job.replace(launch.image_index, path) {
        Ok(()) => report::hit(job, decision, path),
        Err(error) => {
            log::warn!("cannot put {} into the command: {error}", path.display());
            // For whoever will have no pull, this is as good as a miss.
            if on_miss == OnMiss::Fail {
                let path = path.display();
                if job.step().reports() {
                    let line = format!("{NAME}: cannot put {path} into the command: {error}\n");
                    job.tell_user(&line);
                }
                job.end(MISSING);
            }
        }
    }
}

fn miss(job: &dyn Job, decision: &Decision, settings: &Settings, choice: Choice) {
    let on_miss = decision::on_miss(choice, settings);
    report::miss(job, decision, on_miss != OnMiss::Pull);
    if on_miss == OnMiss::Pull {
        return;
    }
    let step = job.step();
    // All tasks of a step run the same command: one of each node speaks for them.
    match (step.reports(), step.nested, step.node) {
        (true, true, _) | (true, false, 0) => tell(job, decision, settings, &|readable| {
            message::miss(decision, settings, choice, on_miss, readable)
        }),
        (true, false, _) => {
            let name = report::node_name(job);
            tell(job, decision, settings, &|readable| {
                message::short_miss(decision, settings, &name, readable)
            });
        }
        (false, ..) => {}
    }
    if on_miss == OnMiss::Fail {
        job.end(MISSING);
    }
}

/// Tells about a miss. A root that has not answered is not asked again.
fn tell(
    job: &dyn Job,
    decision: &Decision,
    settings: &Settings,
    make: &dyn Fn(&[PathBuf]) -> String,
) {
    let silent: Vec<&Path> = decision
        .unusable_roots()
        .filter(|root| root.state == State::NoAnswer)
        .map(|root| root.path.as_path())
        .collect();
    let mut readable = settings.image_roots.clone();
    readable.retain(|root| !silent.contains(&root.as_path()));
    job.tell_user(&WithTimeout(settings.lookup_timeout).text(&readable, make));
}
