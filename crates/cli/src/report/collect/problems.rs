//! What is wrong, and the command that fixes it: findings of `verify`, the logs, the file systems,
//! and the filler.

mod files;
mod filler;
mod logs;
mod space;

use super::Facts;
use crate::report::data::Section;
use crate::report::data::cache::{Cache, Unused};
use crate::report::data::problem::{Problem, Severity};
use crate::report::data::source::SourceId;

/// The section about problems.
pub(super) fn section(facts: &Facts<'_>, cache: &Cache, unused: &Unused) -> Section<Vec<Problem>> {
    let mut problems = files::problems(facts, cache);
    problems.extend(space::problems(facts, cache));
    problems.extend(logs::problems(facts, unused));
    problems.extend(filler::problems(facts));
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
