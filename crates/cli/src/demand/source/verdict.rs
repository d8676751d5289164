//! Whether a log is one, after it was read to its present end.
//!
//! A log that is followed may become one, so this is then only a message.

use crate::error::Failure;
use std::fmt;
use std::io;

/// What a log turned out to be. That of several files is the greatest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// It has no content: nothing was logged yet.
    Empty,
    /// It has content, but no line of a log.
    NoLog,
    /// It has a line of a log, now or in an earlier run.
    Log,
}

impl Verdict {
    /// Why nothing could be read; `None` for a log.
    pub(super) fn reason(self) -> Option<&'static str> {
        match self {
            Self::Log => None,
            Self::Empty => Some("it is empty"),
            Self::NoLog => Some("no line starts like a log line"),
        }
    }
}

/// Remarks about logs that have no lines.
///
/// # Errors
/// At least one of them has content, and none has a line of a log.
pub(super) fn remarks(verdicts: &[(String, Verdict)]) -> Result<Vec<String>, Failure> {
    let reasons = verdicts.iter().filter_map(|(name, verdict)| Some((name, verdict.reason()?)));
    let has = |wanted| verdicts.iter().any(|(_, verdict)| *verdict == wanted);
    if has(Verdict::NoLog) && !has(Verdict::Log) {
        return Err(Failure::NotALog(
            reasons.map(|(name, why)| format!("{name}: {why}")).collect(),
        ));
    }
    Ok(reasons.map(|(name, why)| format!("skipped {name}: {why}")).collect())
}

/// A file in a format that cannot be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unsupported {
    /// The format.
    pub(super) what: &'static str,
    /// The command that prints the content.
    pub(super) command: &'static str,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, command } = self;
        write!(f, "it is {what}: use `{command} FILE | sifcache fill … --log -`")
    }
}

impl std::error::Error for Unsupported {}

impl From<Unsupported> for io::Error {
    fn from(error: Unsupported) -> Self {
        Self::new(io::ErrorKind::Unsupported, error)
    }
}

/// The failure to read a log.
pub(super) fn failure(name: String, error: io::Error) -> Failure {
    match error.get_ref().is_some_and(|inner| inner.is::<Unsupported>()) {
        true => Failure::NotALog(vec![format!("{name}: {error}")]),
        false => Failure::Read { prefix: "", name, error },
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, remarks};

    #[test]
    fn only_content_that_is_no_log_is_an_error_unless_another_log_is_one() {
        let (log, empty, text) = (Verdict::Log, Verdict::Empty, Verdict::NoLog);
        let empty_note = "skipped 0: it is empty";
        for (verdicts, expected) in [
            (vec![log], Ok(vec![])),
            (vec![empty], Ok(vec![empty_note])),
            (vec![empty, log], Ok(vec![empty_note])),
            (vec![log, text], Ok(vec!["skipped 1: no line starts like a log line"])),
            (vec![text], Err("0: no line starts like a log line")),
            (vec![empty, text], Err("0: it is empty\n1: no line starts like a log line")),
        ] {
            let named: Vec<(String, Verdict)> =
                verdicts.iter().enumerate().map(|(n, one)| (n.to_string(), *one)).collect();
            let expected = expected.map(|all| all.iter().map(ToString::to_string).collect());
            let found = remarks(&named).map_err(|failure| failure.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{verdicts:?}");
        }
    }
}
