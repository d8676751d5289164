//! What is wrong, and the command that fixes it.

use super::source::SourceId;
use serde::Serialize;

/// One problem, or several of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    /// A stable word for the kind: a finding of docs/verify.md, or one of docs/report.md.
    pub(crate) kind: &'static str,
    /// Where it was found.
    pub(crate) source: SourceId,
    /// The number of files, lines or images with this problem.
    pub(crate) count: u64,
    /// The file, node or reference, or the first of them.
    pub(crate) subject: String,
    /// What is wrong with it, as a clause: `is truncated`.
    pub(crate) what: String,
    /// What to do, in words; empty if the command says it all.
    pub(crate) advice: String,
    /// The command that fixes it, or shows what to fix; empty if there is none.
    pub(crate) command: String,
}

/// Whether jobs are affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// Jobs are affected, now or in the future.
    Problem,
    /// Worth to know.
    Note,
}
