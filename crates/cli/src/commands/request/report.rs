//! The result of each request: one line for people, or a JSON object for scripts.

use super::name;
use crate::demand::message::Answer;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output;
use crate::ui::progress::Progress;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use sifcache_core::reference::Reference;
use std::path::PathBuf;
use std::time::Duration;

/// The result of a request; docs/json.md documents the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    /// The image was in the cache before.
    Present(PathBuf),
    /// The image is in the cache now.
    Added(PathBuf),
    /// The request was sent.
    Asked,
    /// The policy or the listener refuses it: why.
    Refused(String),
    /// The image could not be added: why.
    Failed(String),
    /// No filler answers: why.
    NoFiller(&'static str),
    /// The listener accepts no requests now. The value is the number of seconds until the next
    /// attempt.
    Busy(u32),
    /// The image was not there in time.
    TimeUp,
}

impl Status {
    /// The result if the listener has not accepted the request.
    pub(super) fn of_answer(answer: Answer) -> Option<Self> {
        match answer {
            Answer::Accepted => None,
            Answer::Refused(reason) => Some(Self::Refused(reason)),
            Answer::Busy(seconds) => Some(Self::Busy(seconds)),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Present(_) => "present",
            Self::Added(_) => "added",
            Self::Asked => "asked",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
            Self::NoFiller(_) => "no-filler",
            Self::Busy(_) => "busy",
            Self::TimeUp => "time-up",
        }
    }

    fn style(&self) -> Style {
        match self {
            Self::Added(_) => AnsiColor::Green.on_default(),
            Self::Refused(_) | Self::Failed(_) | Self::NoFiller(_) => AnsiColor::Red.on_default(),
            Self::Busy(_) | Self::TimeUp => AnsiColor::Yellow.on_default(),
            Self::Present(_) | Self::Asked => Style::new(),
        }
    }

    /// The exit status of a single request.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Present(_) | Self::Added(_) | Self::Asked => Exit::OK,
            Self::Refused(_) | Self::Failed(_) => Exit::PROBLEMS,
            Self::NoFiller(_) => Exit::UNAVAILABLE,
            Self::Busy(_) | Self::TimeUp => Exit::TRY_AGAIN,
        }
    }

    fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Present(path) | Self::Added(path) => Some(path),
            _ => None,
        }
    }

    /// Why the image is not there.
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Self::Refused(reason) | Self::Failed(reason) => Some(reason.clone()),
            Self::NoFiller(reason) => Some((*reason).to_owned()),
            Self::Busy(seconds) => Some(format!("the filler is busy: try again in {seconds} s")),
            Self::TimeUp => Some("the filler still works on it: see `sifcache queue`".to_owned()),
            Self::Present(_) | Self::Added(_) | Self::Asked => None,
        }
    }
}

/// The JSON object.
#[derive(Serialize)]
struct Object<'a> {
    reference: String,
    status: &'a str,
    path: Option<String>,
    seconds: Option<f64>,
    reason: Option<String>,
}

/// Prints each result as soon as it is known.
#[derive(Debug)]
pub(super) struct Report<'a> {
    progress: &'a Progress,
    json: bool,
    exits: Vec<Exit>,
}

impl<'a> Report<'a> {
    /// A report without results. `json` selects JSON objects instead of lines.
    pub(super) fn new(progress: &'a Progress, json: bool) -> Self {
        Self { progress, json, exits: Vec::new() }
    }

    /// Prints a result. `took` is the time since the request.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn one(
        &mut self,
        reference: &Reference,
        status: &Status,
        took: Option<Duration>,
    ) -> Result<(), Failure> {
        self.exits.push(status.exit());
        if self.json {
            return output::json(&Object {
                reference: name(reference),
                status: status.word(),
                path: status.path().map(|path| path.to_string_lossy().into_owned()),
                seconds: took.map(|took| took.as_secs_f64()),
                reason: status.reason(),
            });
        }
        self.progress.line(&text(reference, status, took))
    }

    /// The exit status of the command: of all results, the one that most needs attention.
    pub(super) fn exit(&self) -> Exit {
        let order = [Exit::PROBLEMS, Exit::UNAVAILABLE, Exit::TRY_AGAIN];
        order.into_iter().find(|exit| self.exits.contains(exit)).unwrap_or(Exit::OK)
    }
}

fn text(reference: &Reference, status: &Status, took: Option<Duration>) -> String {
    let (style, word) = (status.style(), status.word());
    let mut text = format!("{style}{word:10}{style:#}  {}", name(reference));
    if let Some(path) = status.path() {
        text.push_str(&format!("  {}", escape_for_terminal(path)));
    }
    if let (Status::Added(_), Some(took)) = (status, took) {
        text.push_str(&format!("  in {}", format::took(took)));
    }
    if let Some(reason) = status.reason() {
        text.push_str(&format!("  {}", escape_for_terminal(reason.as_ref())));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Report, Status, text};
    use crate::exit::Exit;
    use crate::ui::progress::Progress;
    use sifcache_core::reference::Reference;
    use std::time::Duration;

    #[test]
    fn a_line_for_each_result() {
        let reference = Reference::parse(b"o/i:1").unwrap();
        let shown = |status| {
            let text = text(&reference, &status, Some(Duration::from_secs(12)));
            anstream::adapter::strip_str(&text).to_string()
        };
        assert_eq!(
            shown(Status::Added("/sif/o/i:1".into())),
            "added       o/i:1  /sif/o/i:1  in 12 s"
        );
        assert_eq!(shown(Status::Present("/a".into())), "present     o/i:1  /a");
        assert_eq!(shown(Status::Asked), "asked       o/i:1");
        let refused = shown(Status::Refused("a\u{1b}[2J".to_owned()));
        assert_eq!(refused, "refused     o/i:1  a\\u{1b}[2J");
        assert!(shown(Status::Busy(7)).ends_with("try again in 7 s"));
    }

    #[test]
    fn the_status_that_most_needs_attention() {
        let progress = Progress::new(true);
        let exit = |exits: &[Exit]| {
            let mut report = Report::new(&progress, true);
            report.exits = exits.to_vec();
            report.exit()
        };
        assert_eq!(exit(&[]), Exit::OK);
        assert_eq!(exit(&[Exit::OK, Exit::TRY_AGAIN]), Exit::TRY_AGAIN);
        assert_eq!(exit(&[Exit::TRY_AGAIN, Exit::UNAVAILABLE]), Exit::UNAVAILABLE);
        assert_eq!(exit(&[Exit::UNAVAILABLE, Exit::PROBLEMS, Exit::OK]), Exit::PROBLEMS);
    }
}
