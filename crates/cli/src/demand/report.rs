//! What the filler prints: one line per event, or one JSON object.

use crate::cache::image_name;
use crate::demand::policy::Verdict;
use crate::demand::schedule::{Item, Outcome, Stage};
use crate::demand::worker::Finished;
use crate::pull::outcome;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output;
use crate::ui::stderr;
use jiff::{SignedDuration, Timestamp, Unit};
use serde::Serialize;
use std::path::Path;

/// Prints events. A failed write does not stop a service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) json: bool,
}

/// The words of the events; docs/json.md documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// The image was added.
    Added,
    /// The image was already there.
    Present,
    /// The image would be pulled, without `--dry-run`.
    WouldPull,
    /// The policy does not allow the image yet.
    NotYet,
    /// The policy does not allow the image.
    Refused,
    /// The image could not be added.
    Failed,
    /// The registry asks for a pause.
    Paused,
    /// Something about the filler itself: its start, its policy, its logs.
    Note,
}

impl Event {
    fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Present => "present",
            Self::WouldPull => "would pull",
            Self::NotYet => "not yet",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Paused => "paused",
            Self::Note => "",
        }
    }
}

/// The JSON object.
#[derive(Serialize)]
struct Object<'a> {
    event: Event,
    time: Timestamp,
    reference: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    seconds: Option<f64>,
    users: Option<usize>,
    requests: Option<u64>,
    /// Why; for a note, its text.
    reason: Option<&'a str>,
    /// The seconds until the next attempt.
    retry: Option<i64>,
}

impl Report {
    /// Something about the filler itself.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            return stderr::message(text);
        }
        self.print(&Object {
            event: Event::Note,
            time: Timestamp::now(),
            reference: None,
            path: None,
            size: None,
            seconds: None,
            users: None,
            requests: None,
            reason: Some(text),
            retry: None,
        });
    }

    /// A new verdict about an image.
    pub(crate) fn verdict(self, item: &Item, verdict: &Verdict) {
        match verdict {
            Verdict::Allowed => {}
            Verdict::NotYet(why) => self.item(Event::NotYet, item, Some(why), None, None),
            Verdict::Refused(why) => self.item(Event::Refused, item, Some(why), None, None),
        }
    }

    /// An image that would be pulled now, or after a pause.
    pub(crate) fn standing(self, item: &Item, stage: &Stage) {
        match stage {
            Stage::Queued(why) => self.item(Event::WouldPull, item, why.as_deref(), None, None),
            Stage::Failed(why) => {
                let retry = item.pause(Timestamp::now());
                self.item(Event::Failed, item, Some(why), None, retry);
            }
            Stage::Pulling | Stage::NotYet(_) | Stage::Refused(_) => {}
        }
    }

    /// The result of a pull. `retry` is the time until the next attempt.
    pub(crate) fn finished(self, item: &Item, finished: &Finished, retry: Option<SignedDuration>) {
        let details = finished.details.as_ref().ok();
        let event = match (&finished.outcome, details.map(|details| details.status)) {
            (Outcome::Added, Some(outcome::Status::Present)) => Event::Present,
            (Outcome::Added, _) => Event::Added,
            (Outcome::Refused(_), _) => Event::Refused,
            (Outcome::Failed(_) | Outcome::NoRoom(_), _) => Event::Failed,
            (Outcome::Busy(_), _) => Event::Paused,
            (Outcome::Stopped, _) => return,
        };
        let why = finished.details.as_ref().err().map(String::as_str);
        self.item(event, item, why, details, retry);
    }

    fn item(
        self,
        event: Event,
        item: &Item,
        reason: Option<&str>,
        details: Option<&outcome::Outcome>,
        retry: Option<SignedDuration>,
    ) {
        let path = details.and_then(|details| details.path.as_deref());
        let pulled = details.and_then(|details| details.pulled.as_ref());
        let object = Object {
            event,
            time: Timestamp::now(),
            reference: Some(image_name::short(item.reference())),
            path: path.map(|path| path.to_string_lossy().into_owned()),
            size: pulled.map(|pulled| pulled.size),
            seconds: pulled.map(|pulled| pulled.took.as_secs_f64()),
            users: Some(item.users()),
            requests: Some(item.requests()),
            reason,
            retry: retry.map(|retry| retry.as_secs()),
        };
        if self.json {
            return self.print(&object);
        }
        let mut text = format!("{:10}  {}", event.word(), image_name::short(item.reference()));
        for detail in [path.map(escape_for_terminal), reason.map(one_line)].into_iter().flatten() {
            text.push_str(&format!("  {detail}"));
        }
        if let Some(pulled) = pulled {
            let (size, took) = (format::size(pulled.size), format::took(pulled.took));
            text.push_str(&format!("  {size} in {took}"));
        }
        if let Some(retry) = retry.and_then(|retry| retry.round(Unit::Second).ok()) {
            text.push_str(&format!("; next attempt in {retry:#}"));
        }
        text.push_str(&who(item));
        // A service continues if its output cannot be written.
        let _ = output::print(&format!("{text}\n"));
    }

    fn print(self, object: &Object<'_>) {
        let _ = output::json(object);
    }
}

/// The users who asked for an image, if they are known.
fn who(item: &Item) -> String {
    match item.users() {
        0 => String::new(),
        1 => "  (1 user)".to_owned(),
        users => format!("  ({users} users)"),
    }
}

fn one_line(text: &str) -> String {
    escape_for_terminal(Path::new(text))
}
