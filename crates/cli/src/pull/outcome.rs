//! The outcome for each reference: one or two lines for people, or a JSON object for scripts.

use crate::cache::image_name;
use crate::error::Failure;
use crate::exit::Exit;
use crate::pull::native::stages::Stages;
use crate::pull::puller::{Pulled, Used};
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output;
use crate::ui::progress::Progress;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use sifcache_core::image_uri::Transport;
use sifcache_core::reference::Reference;
use std::path::PathBuf;

/// The outcome for one reference; docs/json.md documents the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// The image was already in the cache.
    Present,
    /// The image was added.
    Added,
    /// The tag had moved to another digest, and the file was replaced.
    Refreshed,
    /// The tag still points to the digest of the image in the cache.
    Unchanged,
    /// The tag now points to another digest.
    Moved,
    /// The reference is a digest, which cannot point to another image.
    Pinned,
    /// The digest under which the file was pulled is unknown.
    Unknown,
    /// The registry no longer has the image.
    Gone,
    /// The image would be pulled without `--dry-run`.
    WouldPull,
    /// The operation failed.
    Failed,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Added => "added",
            Self::Refreshed => "refreshed",
            Self::Unchanged => "unchanged",
            Self::Moved => "moved",
            Self::Pinned => "pinned",
            Self::Unknown => "unknown",
            Self::Gone => "gone",
            Self::WouldPull => "would pull",
            Self::Failed => "failed",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Added | Self::Refreshed => AnsiColor::Green.on_default(),
            Self::Moved | Self::Unknown | Self::Gone => AnsiColor::Yellow.on_default(),
            Self::Failed => AnsiColor::Red.on_default(),
            _ => Style::new(),
        }
    }
}

/// The outcome for a reference without a failure.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The kind of the outcome.
    pub(crate) status: Status,
    /// The path of the image, if there is one.
    pub(crate) path: Option<PathBuf>,
    /// The details of the pull, if the image was just pulled.
    pub(crate) pulled: Option<Pulled>,
    /// References that now lead to the image.
    pub(crate) found_as: Vec<String>,
}

impl Outcome {
    /// An outcome for an existing file.
    pub(crate) fn of(status: Status, path: PathBuf) -> Self {
        Self { status, path: Some(path), pulled: None, found_as: Vec::new() }
    }

    /// An outcome for a reference without a file.
    pub(crate) fn without_path(status: Status) -> Self {
        Self { status, path: None, pulled: None, found_as: Vec::new() }
    }

    /// An outcome for a file that was just pulled for the reference `one`.
    pub(crate) fn pulled(status: Status, path: PathBuf, pulled: Pulled, one: &Reference) -> Self {
        let pinned = pulled.digests.iter().map(|digest| image_name::with_digest(one, digest));
        let mut found_as = vec![image_name::short(one)];
        found_as.extend(pinned.filter(|pinned| *pinned != image_name::short(one)));
        Self { status, path: Some(path), pulled: Some(pulled), found_as }
    }
}

/// The JSON object.
#[derive(Serialize)]
struct Object<'a> {
    reference: String,
    status: Status,
    path: Option<String>,
    size: Option<u64>,
    seconds: Option<f64>,
    digests: &'a [String],
    found_as: &'a [String],
    kept: Option<String>,
    engine: Option<&'static str>,
    fallback: Option<&'a str>,
    stages: Option<&'a Stages>,
    error: Option<String>,
}

/// Prints each outcome as soon as it is known.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    progress: &'a Progress,
    json: bool,
}

impl<'a> Report<'a> {
    /// Creates a report. `json` selects JSON objects instead of lines.
    pub(crate) fn new(progress: &'a Progress, json: bool) -> Self {
        Self { progress, json }
    }

    /// Prints the outcome for one reference.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn one(
        &self,
        reference: &Reference,
        outcome: &Result<Outcome, Failure>,
    ) -> Result<(), Failure> {
        match outcome {
            // The signal is reported once, when the command ends.
            Err(Failure::Stopped(_)) => Ok(()),
            outcome if self.json => output::json(&object(reference, outcome)),
            Ok(outcome) => self.progress.line(&text(reference, outcome)),
            Err(failure) => {
                self.progress.note(&format!("{}: {failure}", image_name::short(reference)));
                Ok(())
            }
        }
    }

    /// Prints all outcomes and returns the exit status.
    ///
    /// # Errors
    /// Standard output cannot be written, or a signal asked the command to end.
    pub(crate) fn all<'r>(
        &self,
        outcomes: impl Iterator<Item = (&'r Reference, Result<Outcome, Failure>)>,
    ) -> Result<Exit, Failure> {
        let mut done = Vec::new();
        for (reference, outcome) in outcomes {
            self.one(reference, &outcome)?;
            done.push(outcome.map(drop));
        }
        exit(done)
    }
}

/// The exit status. For a single reference, it is the status of its failure; for several, it only
/// shows whether any of them failed.
///
/// # Errors
/// A signal asked the command to end, or standard output cannot be written. A signal concerns all
/// references. The output matters only if no reference failed, because a reader may leave early.
pub(crate) fn exit(done: Vec<Result<(), Failure>>) -> Result<Exit, Failure> {
    let alone = done.len() == 1;
    let (mut exit, mut unwritten) = (Exit::OK, None);
    for failure in done.into_iter().filter_map(Result::err) {
        match failure {
            Failure::Stopped(_) => return Err(failure),
            Failure::Io(_) => unwritten = Some(failure),
            _ if alone => exit = failure.exit(),
            _ => exit = Exit::PROBLEMS,
        }
    }
    match unwritten {
        Some(failure) if exit == Exit::OK => Err(failure),
        _ => Ok(exit),
    }
}

fn object<'a>(reference: &Reference, outcome: &'a Result<Outcome, Failure>) -> Object<'a> {
    let good = outcome.as_ref().ok();
    let pulled = good.and_then(|outcome| outcome.pulled.as_ref());
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    Object {
        reference: image_name::short(reference),
        status: good.map_or(Status::Failed, |outcome| outcome.status),
        path: good.and_then(|outcome| outcome.path.as_ref()).map(text),
        size: pulled.map(|pulled| pulled.size),
        seconds: pulled.map(|pulled| pulled.took.as_secs_f64()),
        digests: pulled.map_or(&[], |pulled| &pulled.digests),
        found_as: good.map_or(&[], |outcome| &outcome.found_as),
        kept: pulled.and_then(|pulled| pulled.kept.as_ref()).map(text),
        engine: pulled.and_then(|pulled| pulled.engine.as_ref()).map(Used::word),
        fallback: pulled.and_then(|pulled| pulled.engine.as_ref()).and_then(Used::fallback),
        stages: pulled.and_then(|pulled| pulled.engine.as_ref()).and_then(Used::stages),
        error: outcome.as_ref().err().map(ToString::to_string),
    }
}

fn text(reference: &Reference, outcome: &Outcome) -> String {
    let (style, word) = (outcome.status.style(), outcome.status.word());
    let mut text = format!("{style}{word:10}{style:#}  {}", image_name::short(reference));
    if let Some(path) = &outcome.path {
        text.push_str(&format!("  {}", escape_for_terminal(path)));
    }
    let Some(pulled) = &outcome.pulled else { return text };
    let (size, took) = (format::size(pulled.size), format::took(pulled.took));
    let how = if pulled.linked { " (the same content was there under its digest)" } else { "" };
    text.push_str(&format!("  {size} in {took}{how}"));
    for found_as in &outcome.found_as {
        let uri = Transport::uri_of(found_as);
        text.push_str(&format!("\n{:10}  found as {uri}", ""));
    }
    if let Some(kept) = &pulled.kept {
        text.push_str(&format!("\n{:10}  the old file is {}", "", escape_for_terminal(kept)));
    }
    text
}
