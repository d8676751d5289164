//! Requested images that are missing, with the reasons.

use super::{Facts, MISS};
use crate::cache::lookup;
use crate::events::aggregate::Count;
use crate::report::data::source::SourceId;
use crate::report::data::usage::{Miss, Reason};
use crate::report::data::{List, Misses, Section, number};
use rayon::prelude::*;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::cmp::Reverse;
use std::ffi::OsStr;

const SOURCES: [SourceId; 2] = [SourceId::Logs, SourceId::Filler];

/// The number of users who have to ask for an image before the report suggests to add it. Every user
/// can write a line about a miss.
const USERS: usize = 2;

/// The reasons for a whole image root.
pub(super) const NO_ROOT: &str = "no-root";
pub(super) const NO_ANSWER: &str = "no-answer";

/// The section about misses.
pub(super) fn section(facts: &Facts<'_>) -> Section<Misses> {
    let logs = match &facts.logs {
        Ok(logs) => logs,
        Err(why) => return Section::without(&SOURCES, why),
    };
    let counts = logs.counts.iter();
    let all: Vec<(&str, &Count)> =
        counts.filter_map(|(key, count)| Some((key.strip_prefix(MISS)?, &**count))).collect();
    let before = all.len();
    // A root that does not answer would block this process.
    let settings = facts
        .settings
        .as_ref()
        .ok()
        .filter(|settings| settings.search_path().all(|(root, _)| facts.dead(root).is_none()));
    let is_missing =
        |(name, _): &(&str, &Count)| !settings.is_some_and(|all| is_present(all, name));
    let mut missing: Vec<(&str, &Count)> = all.into_par_iter().filter(is_missing).collect();
    missing.sort_by_key(|(_, count)| Reverse((count.users(), count.commands.total())));
    let (total, added_since) = (number(missing.len()), number(before - missing.len()));
    let command = command(facts, &missing);
    missing.truncate(facts.wanted.top);
    let rows = missing.into_iter().map(|(name, count)| row(facts, name, count)).collect();
    let section =
        Section::new(&SOURCES, Misses { list: List { total, rows }, added_since, command });
    let section =
        section.note("every user can write such log lines: check a reference before you add it");
    match facts.filler {
        Some(_) => section,
        None => {
            section.note("no image root has a filler, so the reasons are only those of the logs")
        }
    }
}

/// Whether a job on this host would find the image now.
fn is_present(settings: &Settings, name: &str) -> bool {
    Reference::parse_printed(name.as_bytes())
        .is_ok_and(|reference| lookup::find(settings, &reference).is_some())
}

/// The command that adds the references of several users.
fn command(facts: &Facts<'_>, missing: &[(&str, &Count)]) -> String {
    if !missing.iter().any(|(_, count)| count.users() >= USERS) {
        return String::new();
    }
    let users = USERS.to_string();
    let list = facts.lines.in_period("misses", &words(["--min-users", &users, "--refs"]));
    format!("{list} | {}", facts.lines.of("add", &words(["--from", "-"])))
}

fn words<const N: usize>(words: [&str; N]) -> [&OsStr; N] {
    words.map(OsStr::new)
}

fn row(facts: &Facts<'_>, name: &str, count: &Count) -> Miss {
    let refused = count.refused.iter().map(|(path, refusal)| Reason {
        kind: "refused",
        path: Some(path.to_string_lossy().into_owned()),
        why: refusal.why.clone(),
    });
    let known = facts.filler.as_ref().and_then(|filler| filler.items.get(name));
    let reasons: Vec<Reason> = refused.chain(known.map(|known| known.reason.clone())).collect();
    Miss {
        reference: name.to_owned(),
        misses: count.commands,
        jobs: number(count.jobs()),
        users: number(count.users()),
        last: facts.not_later(count.last),
        command: fix(facts, name, &reasons),
        reasons,
    }
}

/// The command that makes the next request a hit, or shows why it is none.
fn fix(facts: &Facts<'_>, name: &str, reasons: &[Reason]) -> String {
    let refused = || reasons.iter().filter(|reason| reason.kind == "refused");
    let of_root = |reason: &Reason| [NO_ROOT, NO_ANSWER].contains(&reason.why.as_str());
    match () {
        () if refused().any(|reason| !of_root(reason)) => facts.lines.of("verify", &words([name])),
        () if refused().any(of_root) => facts.lines.of("doctor", &[]),
        () => facts.lines.of("add", &words([name])),
    }
}
