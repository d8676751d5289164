//! Problems that the logs report, and problems with the logs themselves.

use super::{at_most, note, problem};
use crate::events::logs::read::Read;
use crate::events::logs::source::{Failed, Skipped};
use crate::report::collect::holdings::Found;
use crate::report::collect::misses::{NO_ANSWER, NO_ROOT};
use crate::report::collect::{Aggregate, Facts};
use crate::report::data::cache::Unused;
use crate::report::data::problem::Problem;
use crate::report::data::source::SourceId;
use crate::ui::format;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// The number of seconds that the clock of a node may be ahead.
const AHEAD: i64 = 300;
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
        let problem = problem("no-lines", SourceId::Logs, &name, what).advice(advice);
        all.push(problem.command(facts.lines.of("doctor", &[])));
    }
    if let Some(why) = &unused.unproven {
        let command = facts.lines.with_logs("hits", &[]);
        let note = note("use-unknown", SourceId::LastUsed, "unused images", why.as_str());
        all.push(note.command(command));
    }
    all
}

/// Lines that could not be read, or should not be there.
fn lines(facts: &Facts<'_>, logs: &Aggregate) -> Vec<Problem> {
    let read = &logs.read;
    let mut all = unreadable(facts, read);
    let name = logs.sources.first().map(String::as_str).unwrap_or_default();
    let hits = facts.lines.in_period("hits", &[]);
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
    all.extend(ahead(facts, read));
    if read.forged > 0 {
        let what = match read.forged {
            1 => "1 line with the plugin's name is incomplete or not from the plugin".to_owned(),
            more => {
                format!("{more} lines with the plugin's name are incomplete or not from the plugin")
            }
        };
        let note = note("forged-lines", SourceId::Logs, name, what).count(read.forged);
        let advice = "every user can write such lines with logger(1): they are not counted";
        all.push(note.advice(advice).command(hits));
    }
    if read.is_partial {
        let what = "this user can read only a part of the journal";
        let advice = "run the report as root or as a member of the group systemd-journal";
        all.push(problem("partial-journal", SourceId::Logs, name, what).advice(advice));
    }
    let skipped = |one: &Skipped| {
        let what = format!("was not read: {}", one.reason);
        note("skipped-log", SourceId::Logs, &one.path, what)
    };
    let hits = || facts.lines.in_period("hits", &[]);
    all.extend(at_most(facts, &read.skipped, &skipped, &hits));
    all
}

/// Logs that could not be read to their end.
fn unreadable(facts: &Facts<'_>, read: &Read) -> Vec<Problem> {
    let row = |failed: &Failed| {
        let what = format!("cannot be read to its end: {}", failed.reason);
        let advice = "check the file: one that logrotate compresses right now is complete later; \
                      restore a damaged one from a backup, or leave it until it is rotated away";
        problem("log-not-read", SourceId::Logs, &failed.path, what).advice(advice)
    };
    at_most(facts, &read.failed, &row, &String::new)
}

/// Nodes whose last line has a time in the future, but by so little that the line counts.
fn ahead(facts: &Facts<'_>, read: &Read) -> Vec<Problem> {
    let is_ahead = |used: Timestamp| used.duration_since(facts.now).as_secs() > AHEAD;
    let nodes = read.evidence.nodes();
    let nodes: Vec<(&str, Timestamp)> = nodes
        .filter_map(|(name, node)| Some((name, node.used.filter(|used| is_ahead(*used))?)))
        .collect();
    let hits = || facts.lines.in_period("hits", &[]);
    let row = |(name, used): &(&str, Timestamp)| {
        let what = format!("its last line is {} in the future", format::ago(facts.now, *used));
        let problem = problem("clock-ahead", SourceId::Logs, name, what).command(hits());
        problem.advice("check the clock of this node, and the time zone of its log lines")
    };
    at_most(facts, &nodes, &row, &hits)
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
    let is_root = |(_, (why, _)): &(&Path, (&str, u64))| [NO_ROOT, NO_ANSWER].contains(why);
    let (roots, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_root);
    let is_news = |(path, _): &(&Path, _)| !is_fixed(path) && !known.contains(path);
    let files: Vec<_> = files.into_iter().filter(is_news).collect();
    let doctor = || facts.lines.of("doctor", &[]);
    let misses = || facts.lines.in_period("misses", &["--all".as_ref()]);
    let mut all = Vec::new();
    for kind in [NO_ROOT, NO_ANSWER] {
        let of_kind = roots.iter().filter(|(_, (why, _))| *why == kind);
        let row = |(path, (why, commands)): &&(&Path, (&str, u64))| {
            of_root(path, why, *commands).command(doctor())
        };
        all.extend(at_most(facts, &of_kind.collect::<Vec<_>>(), &row, &doctor));
    }
    let row = |(path, (why, commands)): &(&Path, (&str, u64))| of_file(facts, path, why, *commands);
    all.extend(at_most(facts, &files, &row, &misses));
    all
}

fn of_file(facts: &Facts<'_>, path: &Path, why: &str, commands: u64) -> Problem {
    let what = format!("{} refused this file: {why}", jobs(commands));
    let problem = problem(REFUSED, SourceId::Logs, &path.to_string_lossy(), what);
    // A report is text, which cannot name every file.
    let is_inside = facts.holdings.roots.iter().any(|root| path.starts_with(&root.path));
    match is_inside && path.to_str().is_some() {
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
    problem.advice("run it on the nodes of these jobs")
}

fn jobs(commands: u64) -> String {
    format::count(commands, "command", "commands")
}
