//! The result of a check.

use serde::Serialize;

/// The severity of a finding, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Correct.
    Ok,
    /// The check is not possible on this host or for this user.
    Skipped,
    /// Worth knowing.
    Note,
    /// Works, but only partly.
    Warn,
    /// Does not work.
    Fail,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// A stable identifier for scripts.
    pub(crate) check: &'static str,
    pub(crate) level: Level,
    /// The subject of the check, and its result.
    pub(crate) message: String,
    /// How to fix the problem.
    pub(crate) advice: Option<String>,
}

impl Finding {
    fn new(check: &'static str, level: Level, message: String) -> Self {
        Self { check, level, message, advice: None }
    }

    /// A check that found the expected state.
    pub(crate) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, message.into())
    }

    /// A check that is not possible, for this reason.
    pub(crate) fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self::new(check, Level::Skipped, why.into())
    }

    /// A fact that is worth knowing. It does not affect the exit status.
    pub(crate) fn note(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Note, message.into())
    }

    /// A defect that affects the exit status only with `--strict`.
    pub(crate) fn warn(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Warn, message.into())
    }

    /// A defect that always affects the exit status.
    pub(crate) fn fail(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Level::Fail, message.into())
    }

    /// Adds advice on how to fix the problem.
    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}
