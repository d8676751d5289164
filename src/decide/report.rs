//! Reports a hit or a miss: to Slurm's log, and as one line to syslog.
//!
//! The tasks of a step on one node share their command and so its outcome. The first of them
//! reports for all, with their number as `tasks=`. A launch inside a script reports for itself,
//! with `via=shim`. Pulls have `via=pull` and builds have `via=build`.

use crate::NAME;
use crate::job::{Job, Link, Step};
use crate::logging::syslog::{self, EVENT};
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::decision::{Decision, Pass};
use sifcache_core::fields::{Value, value};
use sifcache_core::image::State;
use sifcache_core::image_uri::ImageUri;
use sifcache_core::launch::NotLaunch;
use sifcache_core::lookup::Candidate;
use sifcache_core::settings::{Settings, Syslog};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Selects the syslog facility that the site has configured, if any.
pub(crate) fn use_syslog(settings: &Settings) {
    if let Syslog::Facility(facility) = settings.syslog {
        syslog::use_facility(facility);
    }
}

/// Reports a hit: `path` replaces the image of the decision. `link` is the link of a pull.
pub(crate) fn hit(job: &dyn Job, decision: &Decision, path: &Path, link: Link) {
    let (Some(uri), step) = (&decision.uri, step(job, decision)) else { return };
    if !step.is_reporter() {
        return;
    }
    warn_of_refused(decision);
    log_and_write(job, format_args!("{uri} is replaced by {}", path.display()));
    let image = Value(path.as_os_str().as_encoded_bytes());
    let link = match link {
        Some(Ok(path)) => format!(" link={}", value(path.as_os_str().as_encoded_bytes())),
        Some(Err(why)) => {
            write_verbose(job, format_args!("the file is a copy, not a link: {why}"));
            format!(" copied={}", why.token())
        }
        None => String::new(),
    };
    log::info!(target: EVENT, "event=hit {step} reference={} image={image}{link}", uri.reference());
}

/// Reports a miss. With `quiet`, nothing is written for the user, because another message follows.
/// `wait` is the time for which the command waits for the image to be added.
pub(crate) fn miss(job: &dyn Job, decision: &Decision, quiet: bool, wait: Option<Duration>) {
    let (Some(uri), step) = (&decision.uri, step(job, decision)) else { return };
    if !step.is_reporter() {
        return;
    }
    warn_of_refused(decision);
    for root in decision.unusable_roots().filter(|root| root.state == State::NoRoot) {
        log::warn!("{}", unusable(root));
    }
    let line = format!("{uri} is not in the image cache");
    log::info!("{line}");
    if !quiet {
        write_verbose(job, format_args!("{line}"));
        for candidate in decision.refused() {
            let (path, state) = (candidate.path.display(), &candidate.state);
            write_verbose(job, format_args!("{path} is refused: {state}"));
        }
        for root in decision.unusable_roots() {
            write_verbose(job, format_args!("{}", unusable(root)));
        }
    }
    let refused: String = decision
        .refused()
        .chain(decision.unusable_roots())
        .map(|c| {
            format!(
                " refused={} why={}",
                value(c.path.as_os_str().as_encoded_bytes()),
                c.state.token()
            )
        })
        .collect();
    let wait = wait.map_or_else(String::new, |wait| format!(" wait={}", wait.as_secs()));
    log::info!(target: EVENT, "event=miss {step} reference={}{wait}{refused}", uri.reference());
}

/// The step, with the kind of the command.
fn step(job: &dyn Job, decision: &Decision) -> Step {
    Step { kind: decision.kind(), ..job.step() }
}

fn unusable(root: &Candidate) -> String {
    let what = if root.state == State::NoAnswer { "does not answer" } else { "does not exist" };
    format!("the image root {} {what}", root.path.display())
}

/// Writes a line to Slurm's log, and to the job's stderr as [`write_verbose`] does.
fn log_and_write(job: &dyn Job, line: fmt::Arguments<'_>) {
    log::info!("{line}");
    write_verbose(job, line);
}

/// Writes a line to the job's stderr: on the first node of the step if `srun -v` was used, and on
/// the other nodes only if `-vv` was used.
///
/// slurmstepd's own log level does not follow `-v`, but srun passes its own level in the
/// environment; with `-v`, it is `LOG_LEVEL_VERBOSE` = 4.
fn write_verbose(job: &dyn Job, line: fmt::Arguments<'_>) {
    let Some(level) = job.variable("SRUN_DEBUG") else { return };
    let level: u32 = String::from_utf8_lossy(&level).parse().unwrap_or_default();
    let step = job.step();
    // Tasks that run the same script would all write the same line, so only the first one on a node
    // writes.
    match (level, step.node) {
        _ if !step.is_first_of_node() => {}
        (4.., 0) => job.write_stderr(&format!("{NAME}: {line}\n")),
        (5.., _) => job.write_stderr(&format!("{NAME}: {}: {line}\n", node_name(job))),
        _ => {}
    }
}

/// The name of this node, from a variable that slurmstepd sets for every task.
pub(crate) fn node_name(job: &dyn Job) -> String {
    let name = job.variable("SLURMD_NODENAME").unwrap_or_default();
    String::from_utf8_lossy(&name).into_owned()
}

/// Reports why a command with an image of a known transport is a pass. With `require`, tells the
/// user that this mode has no effect on this command.
pub(crate) fn pass(job: &dyn Job, mode: CacheMode, decision: &Decision, pass: Pass) {
    let is_runtime = !matches!(pass, Pass::NotLaunch(NotLaunch::Empty | NotLaunch::NotRuntime));
    let names_image = || job.command().iter().any(|word| ImageUri::is_likely(word));
    let concerns = decision.image.as_ref().is_none_or(|image| ImageUri::is_likely(image));
    if !(is_runtime && concerns && names_image() && job.step().is_reporter()) {
        return;
    }
    log::debug!("left unchanged: {pass}");
    if mode == CacheMode::Require {
        let option = "--sif-cache=require has no effect on this command";
        job.write_stderr(&format!("{NAME}: {option}: {pass}\n"));
    } else {
        write_verbose(job, format_args!("the command is left unchanged: {pass}"));
    }
}

/// Reports a launch that is left alone for a reason other than its own argv.
pub(crate) fn left_unchanged(job: &dyn Job, why: &str) {
    if !job.step().is_reporter() {
        return;
    }
    log::debug!("left unchanged: {why}");
    write_verbose(job, format_args!("the command is left unchanged: {why}"));
}

/// Tells the user about a program that is not listed as a runtime, but has the arguments of a
/// launch of an image: this image might not be looked up. `because` names the option or setting
/// that forbids a pull.
pub(crate) fn unknown_program(job: &dyn Job, settings: &Settings, because: &str) {
    let command = job.command();
    let Some(program) = command.first().filter(|_| job.step().is_reporter()) else { return };
    job.write_stderr(&format!(
        "{NAME}: {} does not have the name of a container runtime ({}), so its image may not \
         be looked up: {because} may have no effect on it\n",
        program.escape_ascii(),
        settings.runtimes.join(", ")
    ));
}

/// Warns the admin, even on a hit, about files that exist but are not accepted, and about image
/// roots that did not answer within the timeout.
fn warn_of_refused(decision: &Decision) {
    for candidate in decision.refused() {
        log::warn!("{} is refused: {}", candidate.path.display(), candidate.state);
    }
    for root in decision.unusable_roots().filter(|root| root.state == State::NoAnswer) {
        log::warn!("{}", unusable(root));
    }
}

#[cfg(test)]
mod tests {
    use super::unusable;
    use sifcache_core::image::State;
    use sifcache_core::lookup::Candidate;

    #[test]
    fn the_reason_why_a_root_is_unusable() {
        let line = |state| unusable(&Candidate { path: "/sif".into(), state });
        assert_eq!(line(State::NoAnswer), "the image root /sif does not answer");
        assert_eq!(line(State::NoRoot), "the image root /sif does not exist");
    }
}
