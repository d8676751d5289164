//! What a check has found.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// Could not be looked at here, or by this user.
    Skipped,
    /// Worth knowing.
    Note,
    /// Works, with a part that does not.
    Warn,
    /// Does not work.
    Fail,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// A stable word for scripts.
    pub(crate) check: &'static str,
    pub(crate) level: Level,
    /// What was looked at, and what was seen.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) advice: Option<String>,
}

impl Finding {
    fn new(check: &'static str, level: Level, what: String) -> Self {
        Self { check, level, what, advice: None }
    }

    pub(crate) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, what.into())
    }

    pub(crate) fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self::new(check, Level::Skipped, why.into())
    }

    pub(crate) fn note(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Note, what.into())
    }

    pub(crate) fn warn(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Warn, what.into())
    }

    pub(crate) fn fail(check: &'static str, what: impl Into<String>) -> Self {
        Self::new(check, Level::Fail, what.into())
    }

    /// With what to do.
    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}
