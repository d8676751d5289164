//! The outcome of each image on each node: text lines, or JSON objects for scripts.

use super::step::NodeFailure;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output;
use crate::ui::progress::Progress;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The status of one image on one node; the JSON names are documented in docs/json.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// It was present already.
    Present,
    /// It was staged.
    Staged,
    /// It would be staged without --dry-run.
    WouldStage,
    /// It could not be staged.
    Failed,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Staged => "staged",
            Self::WouldStage => "would stage",
            Self::Failed => "failed",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Staged => AnsiColor::Green.on_default(),
            _ => Style::new(),
        }
    }
}

/// The JSON object.
#[derive(Serialize)]
struct Object<'a> {
    node: Option<&'a str>,
    reference: Option<&'a str>,
    status: Status,
    path: Option<PathBuf>,
    size: Option<u64>,
    seconds: Option<f64>,
    error: Option<&'a str>,
}

/// Prints and counts the outcomes.
#[derive(Debug)]
pub(crate) struct Outcomes<'a> {
    progress: &'a Progress,
    json: bool,
    root: &'a Path,
    good: usize,
    failed: Vec<Exit>,
}

impl<'a> Outcomes<'a> {
    /// Creates the outcomes for images that are staged to `root`. With `json`, they are printed as
    /// objects instead of text lines.
    pub(crate) fn new(progress: &'a Progress, json: bool, root: &'a Path) -> Self {
        Self { progress, json, root, good: 0, failed: Vec::new() }
    }

    /// Reports that an image is on a node. `took` is the duration of the transfer, if there was
    /// one.
    ///
    /// # Errors
    /// Writing to standard output fails.
    pub(crate) fn good(
        &mut self,
        status: Status,
        node: &str,
        reference: &str,
        size: u64,
        took: Option<Duration>,
    ) -> Result<(), Failure> {
        self.good += 1;
        let path = self.root.join(reference);
        if self.json {
            let (node, reference, seconds) =
                (Some(node), Some(reference), took.map(|took| took.as_secs_f64()));
            let (path, size) = (Some(path), Some(size));
            let error = None;
            return output::json(&Object { node, reference, status, path, size, seconds, error });
        }
        let (style, word) = (status.style(), status.word());
        let mut text = format!(
            "{style}{word:11}{style:#}  {node}  {reference}  {}",
            escape_for_terminal(&path)
        );
        if let Some(took) = took {
            text.push_str(&format!("  {} in {}", format::size(size), format::took(took)));
        }
        self.progress.line(&text)
    }

    /// Reports a failure: of an image on one node, of a node, or of an image on all nodes.
    ///
    /// # Errors
    /// Writing to standard output fails.
    pub(crate) fn failed(
        &mut self,
        node: Option<&str>,
        reference: Option<&str>,
        exit: Exit,
        error: &str,
    ) -> Result<(), Failure> {
        self.failed.push(exit);
        if self.json {
            let (status, path, size, seconds) = (Status::Failed, None, None, None);
            let error = Some(error);
            return output::json(&Object { node, reference, status, path, size, seconds, error });
        }
        let what: Vec<&str> = node.into_iter().chain(reference).collect();
        let error: String = error.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.progress.note(&format!("{}: {error}", what.join(": ")));
        Ok(())
    }

    /// Reports that a node is no longer used.
    ///
    /// # Errors
    /// Writing to standard output fails.
    pub(crate) fn node_failed(&mut self, failure: &NodeFailure) -> Result<(), Failure> {
        self.failed(Some(&failure.node), None, failure.exit, &failure.error)
    }

    /// The exit status: 0 without failures; the status of the failures if nothing succeeded and all
    /// failures have the same status; else the general failure status.
    pub(crate) fn exit(&self) -> Exit {
        match self.failed.split_first() {
            None => Exit::OK,
            Some((first, rest)) if self.good == 0 && rest.iter().all(|exit| exit == first) => {
                *first
            }
            Some(_) => Exit::PROBLEMS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcomes, Status};
    use crate::exit::Exit;
    use crate::ui::progress::Progress;
    use std::path::Path;

    #[test]
    fn the_exit_status_is_that_of_uniform_failures() {
        let progress = Progress::new(true);
        let new = || Outcomes::new(&progress, true, Path::new("/local/sif"));
        let mut outcomes = new();
        assert_eq!(outcomes.exit(), Exit::OK);
        outcomes.failed(Some("n1"), None, Exit::NO_PERMISSION, "no").unwrap();
        outcomes.failed(Some("n2"), None, Exit::NO_PERMISSION, "no").unwrap();
        assert_eq!(outcomes.exit(), Exit::NO_PERMISSION);
        outcomes.failed(Some("n3"), None, Exit::CANT_CREATE, "no").unwrap();
        assert_eq!(outcomes.exit(), Exit::PROBLEMS);
        let mut outcomes = new();
        outcomes.failed(Some("n1"), None, Exit::NO_PERMISSION, "no").unwrap();
        outcomes.good(Status::Present, "n2", "o/i:1", 1, None).unwrap();
        assert_eq!(outcomes.exit(), Exit::PROBLEMS);
    }
}
