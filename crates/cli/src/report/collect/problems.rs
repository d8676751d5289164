//! Problems, each with the command that fixes it: findings of `verify`, the logs, the file systems, the
//! tags, and the filler.

mod files;
mod filler;
mod logs;
mod space;
mod tags;

use super::Facts;
use crate::report::data::cache::{Cache, Unused};
use crate::report::data::problem::{Problem, Severity};
use crate::report::data::source::SourceId;
use crate::report::data::{Section, number};

/// The section about problems.
pub(super) fn section(facts: &Facts<'_>, cache: &Cache, unused: &Unused) -> Section<Vec<Problem>> {
    let mut problems = files::problems(facts, cache);
    problems.extend(space::problems(facts, cache));
    problems.extend(logs::problems(facts, unused));
    problems.extend(filler::problems(facts));
    problems.extend(tags::problems(facts));
    // The sort is stable, so problems of one source stay together.
    problems.sort_by_key(|problem| problem.severity);
    let sources = [
        SourceId::Verify,
        SourceId::Roots,
        SourceId::FileSystems,
        SourceId::Logs,
        SourceId::Filler,
    ];
    let section = Section::new(&sources, problems);
    match &facts.settings {
        Ok(_) => section,
        Err(why) => section.note(format!("the image roots were not checked: {why}")),
    }
}

/// A problem without advice and command.
fn problem(
    kind: &'static str,
    source: SourceId,
    subject: &str,
    what: impl Into<String>,
) -> Problem {
    Problem {
        severity: Severity::Problem,
        kind,
        source,
        count: 1,
        rest: false,
        subject: subject.to_owned(),
        what: what.into(),
        advice: String::new(),
        command: String::new(),
    }
}

/// A note without advice and command.
fn note(kind: &'static str, source: SourceId, subject: &str, what: impl Into<String>) -> Problem {
    Problem { severity: Severity::Note, ..problem(kind, source, subject, what) }
}

/// At most `--top` problems of one kind, and one for the rest of them, with a command that shows all.
fn at_most<T>(
    facts: &Facts<'_>,
    all: &[T],
    row: &dyn Fn(&T) -> Problem,
    command: &dyn Fn() -> String,
) -> Vec<Problem> {
    let (shown, rest) = all.split_at(all.len().min(facts.wanted.top));
    let mut problems: Vec<Problem> = shown.iter().map(row).collect();
    if let Some(first) = rest.first() {
        let first = row(first);
        problems.push(match rest.len() {
            1 => Problem { count: 1, rest: true, ..first },
            more => Problem {
                count: number(more),
                rest: true,
                what: format!("{}; and others", first.what),
                command: command(),
                ..first
            },
        });
    }
    problems
}

impl Problem {
    fn advice(self, advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..self }
    }

    fn command(self, command: impl Into<String>) -> Self {
        Self { command: command.into(), ..self }
    }

    fn count(self, count: u64) -> Self {
        Self { count, ..self }
    }
}
