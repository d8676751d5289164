//! What the logs say is wrong, and what is wrong with the logs.

use super::{note, problem};
use crate::report::collect::holdings::Found;
use crate::report::collect::misses::{NO_ANSWER, NO_ROOT};
use crate::report::collect::{Aggregate, Facts};
use crate::report::data::cache::Unused;
use crate::report::data::problem::Problem;
use crate::report::data::source::SourceId;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// The kind of an image that jobs refused.
const REFUSED: &str = "refused";

/// The problems of the logs.
pub(super) fn problems(facts: &Facts<'_>, unused: &Unused) -> Vec<Problem> {
    let logs = match &facts.logs {
        Ok(logs) => logs,
        Err(why) => {
            let problem = problem("no-log", SourceId::Logs, "logs", why.as_str());
            return vec![problem.advice("give the logs of all nodes with --log")];
        }
    };
    let mut all = refused(facts, logs);
    all.extend(lines(facts, logs));
    let name = logs.sources.join(", ");
    if logs.read.range.is_some() && logs.read.events == 0 {
        let what = "no line is from sifcache";
        let advice = "check that this is the log of nodes that run jobs, and that it contains the \
                      site's syslog facility";
        all.push(problem("no-lines", SourceId::Logs, &name, what).advice(advice).command(DOCTOR));
    }
    if let Some(why) = &unused.unproven {
        let command = facts.lines.with_logs("hits", &[]);
        let note = note("use-unknown", SourceId::LastUsed, "unused images", why.as_str());
        all.push(note.command(command));
    }
    all
}

const DOCTOR: &str = "sifcache doctor";

/// Lines that could not be read, or should not be there.
fn lines(facts: &Facts<'_>, logs: &Aggregate) -> Vec<Problem> {
    let read = &logs.read;
    let name = logs.sources.first().map(String::as_str).unwrap_or_default();
    let hits = facts.lines.with_logs("hits", &[]);
    let mut all = Vec::new();
    if let Some(what) = read.unread.remark() {
        let file = read.unread.file.as_deref().unwrap_or(name);
        let problem = problem("unread-lines", SourceId::Logs, file, what);
        all.push(problem.count(read.unread.lines).command(hits.as_str()));
    }
    if let Some(what) = read.future.remark() {
        let host = read.future.host.as_deref().unwrap_or_default();
        let problem = problem("clock-ahead", SourceId::Logs, host, what);
        all.push(problem.count(read.future.lines).command(hits.as_str()));
    }
    if read.forged > 0 {
        let what = "lines with the plugin's name are incomplete or not from the plugin";
        let note = note("forged-lines", SourceId::Logs, name, what).count(read.forged);
        let advice = "every user can write such lines with logger(1): they are not counted";
        all.push(note.advice(advice).command(hits));
    }
    if read.is_partial {
        let what = "this user can read only a part of the journal";
        let advice = "run the report as root or as a member of the group systemd-journal";
        all.push(problem("partial-journal", SourceId::Logs, name, what).advice(advice));
    }
    for skipped in &read.skipped {
        let what = format!("was not read: {}", skipped.reason);
        all.push(note("skipped-log", SourceId::Logs, &skipped.path, what));
    }
    all
}

/// Files that jobs refused, except those that are images now and those that `verify` reports, and
/// image roots that nodes did not find.
fn refused(facts: &Facts<'_>, logs: &Aggregate) -> Vec<Problem> {
    // The reason, and the number of commands for which the file was refused.
    let mut files: BTreeMap<&Path, (&str, u64)> = BTreeMap::new();
    for (_, count) in &logs.counts {
        for (path, refusal) in &count.refused {
            let file = files.entry(path).or_insert((&refusal.why, 0));
            file.1 = file.1.saturating_add(refusal.commands);
        }
    }
    let is_fixed = |path: &Path| matches!(facts.holdings.find(path), Found::Image(_));
    let known: HashSet<&Path> =
        facts.findings.iter().map(|finding| finding.path.as_path()).collect();
    let mut all: Vec<Problem> = Vec::new();
    let mut rest = 0;
    for (path, (why, commands)) in files {
        match why {
            NO_ROOT | NO_ANSWER => all.push(of_root(path, why, commands)),
            _ if is_fixed(path) || known.contains(path) => {}
            _ if all.len() < facts.wanted.top => all.push(of_file(facts, path, why, commands)),
            _ => rest += 1,
        }
    }
    if rest > 0 {
        let what = "more files that jobs refused";
        let more = problem(REFUSED, SourceId::Logs, "", what).count(rest);
        all.push(more.command(facts.lines.with_logs("misses", &["--all".as_ref()])));
    }
    all
}

fn of_file(facts: &Facts<'_>, path: &Path, why: &str, commands: u64) -> Problem {
    let what = format!("{} refused this file: {why}", jobs(commands));
    let problem = problem(REFUSED, SourceId::Logs, &path.to_string_lossy(), what);
    match facts.holdings.roots.iter().any(|root| path.starts_with(&root.path)) {
        true => problem.command(facts.lines.of("verify", &[path.as_os_str()])),
        false => problem.advice("check the settings of the nodes that use this directory"),
    }
}

fn of_root(path: &Path, why: &str, commands: u64) -> Problem {
    let what = match why {
        NO_ROOT => "did not find this image root",
        _ => "got no answer from this image root within lookup_timeout=",
    };
    let (kind, what) = match why {
        NO_ROOT => (NO_ROOT, format!("{} {what}", jobs(commands))),
        _ => (NO_ANSWER, format!("{} {what}", jobs(commands))),
    };
    let problem = problem(kind, SourceId::Logs, &path.to_string_lossy(), what);
    problem.advice("run it on the nodes of these jobs").command(DOCTOR)
}

fn jobs(commands: u64) -> String {
    if commands == 1 { "1 command".to_owned() } else { format!("{commands} commands") }
}
