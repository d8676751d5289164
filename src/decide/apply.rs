//! Decides on a command and applies the decision. The plugin calls it for the command of a task,
//! the shim for a launch inside a script.

use crate::NAME;
use crate::decide::ask::{self, Next};
use crate::decide::lookup_timeout::WithTimeout;
use crate::decide::report;
use crate::decide::requested_mode::RequestedMode;
use crate::decide::wait;
use crate::job::Job;
use sifcache_core::cache_mode::{CacheMode, ENVIRONMENT, VALUES};
use sifcache_core::command_line::NotServed;
use sifcache_core::decision::{self, Action, Decision, Kind, Pass, Verdict};
use sifcache_core::image::State;
use sifcache_core::lookup::Inline;
use sifcache_core::message;
use sifcache_core::settings::{OnMiss, Settings};
use std::path::{Path, PathBuf};

/// The exit status of a launch that ends because its image is missing: `EX_NOINPUT` of sysexits(3).
pub const MISSING: i32 = 66;

/// The user ID of root.
const ROOT: u32 = 0;

/// Decides on the command of `job`. Then replaces IMAGE, answers a pull or ends the process, and
/// logs the outcome.
pub fn apply(job: &dyn Job, settings: &Settings, requested: &RequestedMode) -> Decision {
    report::use_syslog(settings);
    let command = job.command();
    let variable = |name: &str| job.variable(name);
    let prober = WithTimeout::new(settings.lookup_timeout);
    let mut decision = decision::decide(&command, settings, requested.mode, &variable, &prober);
    if decision.kind() == Kind::Build && job.step().uid == ROOT {
        decision.verdict = Verdict::Pass(Pass::NotLaunch(NotServed::Root));
    }
    if !matches!(decision.verdict, Verdict::Pass(_))
        && let Some(why) = job.only_runtime()
    {
        decision.verdict = Verdict::Pass(Pass::OnlyRuntime(why));
    }
    if decision.uri.is_some() {
        warn_of_invalid_mode(job, requested);
    }
    match decision.verdict {
        Verdict::Hit => {
            if decision.pull.is_some() {
                prober.wait_for_exit();
            }
            hit(job, &decision, decision::on_miss(requested.mode, settings));
        }
        Verdict::Miss => {
            prober.wait_for_exit();
            let look = || {
                let found =
                    decision::decide(&command, settings, requested.mode, &variable, &prober);
                prober.wait_for_exit();
                found
            };
            if let Some(found) = miss(job, &decision, settings, requested.mode, &look) {
                decision = found;
            }
        }
        Verdict::Pass(pass) => report::pass(job, requested.mode, &decision, pass),
    }
    decision
}

/// Handles a command if the settings are invalid: the job runs unmodified, except under `require`,
/// where falling back to a pull would violate the user's request.
#[cold]
pub fn without_settings(job: &dyn Job, requested: &RequestedMode) {
    if requested.mode != CacheMode::Require {
        return;
    }
    let without_roots = Settings::with_roots(Vec::<PathBuf>::new());
    let command = job.command();
    let variable = |name: &str| job.variable(name);
    let decision = decision::decide(&command, &without_roots, requested.mode, &variable, &Inline);
    let Some(reference) = decision.reference().filter(|_| decision.verdict == Verdict::Miss) else {
        return;
    };
    if job.step().is_reporter() {
        let what = decision.kind().as_str();
        job.write_stderr(&format!(
            "{NAME}: {reference} cannot be looked up: there are no valid settings in \
             plugstack.conf on this node\n{NAME}: the {what} fails because of --sif-cache=require \
             (or SIF_CACHE=require); tell the admins, or use --sif-cache=off\n"
        ));
    }
    job.end(MISSING);
}

/// Warns about an invalid value of `SIF_CACHE` instead of silently ignoring it.
fn warn_of_invalid_mode(job: &dyn Job, requested: &RequestedMode) {
    if let Some(value) = &requested.invalid
        && job.step().is_reporter()
    {
        let value = value.escape_ascii();
        job.write_stderr(&format!(
            "{NAME}: {ENVIRONMENT}={value} is ignored: valid values are {VALUES}\n"
        ));
    }
}

fn hit(job: &dyn Job, decision: &Decision, on_miss: OnMiss) {
    let Some(action) = decision.action() else { return };
    let (path, done) = match action {
        Action::ReplaceArgument { index, path } => (path, job.replace(index, path).map(|()| None)),
        Action::AnswerPull { path } => (path, job.answer_pull(path)),
    };
    let error = match done {
        Ok(link) => return report::hit(job, decision, path, link),
        Err(error) => error,
    };
    let line = match action {
        Action::ReplaceArgument { .. } => {
            format!("cannot put {} into the command line: {error}", path.display())
        }
        Action::AnswerPull { .. } => {
            format!("cannot answer the pull from {}: {error}", path.display())
        }
    };
    log::warn!("{line}");
    // With on_miss=fail, this is treated like a miss.
    if on_miss == OnMiss::Fail {
        if job.step().is_reporter() {
            job.write_stderr(&format!("{NAME}: {line}\n"));
        }
        job.end(MISSING);
    }
}

/// Handles a miss. Returns the hit if the image was added during the wait for it; `look` decides
/// again.
#[inline(never)]
fn miss(
    job: &dyn Job,
    decision: &Decision,
    settings: &Settings,
    mode: CacheMode,
    look: &dyn Fn() -> Decision,
) -> Option<Decision> {
    let on_miss = decision::on_miss(mode, settings);
    let wait = decision::wait(mode, settings).zip(wait::root(settings, decision));
    report::miss(job, decision, on_miss != OnMiss::Pull, wait.map(|(limit, _)| limit));
    let next = match (wait, on_miss) {
        (Some(_), _) => Next::Wait,
        (None, OnMiss::Fail) => Next::End,
        (None, _) => Next::Launch,
    };
    let news = ask::listener(job, decision, settings, next);
    if let Some((limit, root)) = wait
        && let Some(found) =
            wait::for_image(job, decision, (settings, root, news), (limit, on_miss), look)
    {
        hit(job, &found, on_miss);
        return Some(found);
    }
    if on_miss != OnMiss::Pull {
        refuse_or_warn(job, decision, settings, mode);
    }
    None
}

/// Prints a message about a miss, and ends the process if the site or the user has forbidden a pull.
fn refuse_or_warn(job: &dyn Job, decision: &Decision, settings: &Settings, mode: CacheMode) {
    let on_miss = decision::on_miss(mode, settings);
    let step = job.step();
    // All tasks of a step run the same command, so one task of each node prints the message.
    match (step.is_reporter(), step.nested, step.node) {
        (true, true, _) | (true, false, 0) => print_miss(job, decision, settings, &|readable| {
            message::miss(decision, settings, mode, on_miss, readable)
        }),
        (true, false, _) => {
            let name = report::node_name(job);
            print_miss(job, decision, settings, &|readable| {
                message::short_miss(decision, settings, &name, readable)
            });
        }
        (false, ..) => {}
    }
    if on_miss == OnMiss::Fail {
        job.end(MISSING);
    }
}

/// Prints a message about a miss. `make` reads the image roots that are passed to it; roots that
/// did not answer are not among them.
fn print_miss(
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
    let roots = settings.search_path().map(|(root, _)| root);
    let readable: Vec<_> =
        roots.filter(|root| !silent.contains(root)).map(Path::to_owned).collect();
    job.write_stderr(&WithTimeout::new(settings.lookup_timeout).text(&readable, make));
}
