//! Problems, each with the command that fixes it.

use super::source::SourceId;
use serde::Serialize;

/// One problem, or the rest of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    /// A stable word for the kind: a finding of docs/verify.md, or one of docs/report.md.
    pub(crate) kind: &'static str,
    /// Where it was found.
    pub(crate) source: SourceId,
    /// The number of files, lines or commands with this problem; if `rest` is set, that of problems.
    pub(crate) count: u64,
    /// Whether this stands for all problems of its kind that `--top` has left out, of which the first
    /// is described.
    pub(crate) rest: bool,
    /// The file, node or reference, or the first of them.
    pub(crate) subject: String,
    /// What is wrong with it, as a clause: `is truncated`.
    pub(crate) what: String,
    /// What to do, in words; empty if the command suffices.
    pub(crate) advice: String,
    /// The command that fixes it, or shows what to fix; empty if there is none.
    pub(crate) command: String,
}

impl Problem {
    /// The number of problems that this stands for.
    pub(crate) fn number(&self) -> u64 {
        if self.rest { self.count } else { 1 }
    }
}

/// The number of problems or notes, which does not depend on `--top`.
pub(crate) fn total(problems: &[Problem], severity: Severity) -> u64 {
    let of_severity = problems.iter().filter(|problem| problem.severity == severity);
    of_severity.map(Problem::number).fold(0, u64::saturating_add)
}

/// Whether jobs are affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// Jobs are affected, now or in the future.
    Problem,
    /// Worth knowing.
    Note,
}
