//! Output of the report: one line per finding and a summary, or a JSON object.

mod json;

use crate::cache::image_name;
use crate::error::Failure;
use crate::inspect::file::File;
use crate::inspect::finding::Finding;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output;
use anstyle::{AnsiColor, Style};
use sifcache_core::image::State;
use sifcache_core::image_uri::Transport;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A change that `--fix` made, or failed to make.
#[derive(Debug)]
pub(crate) struct FixResult {
    pub(crate) path: PathBuf,
    pub(crate) message: String,
    pub(crate) failed: bool,
}

/// The data of a report.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) files: &'a [&'a File],
    pub(crate) findings: &'a [Finding],
    pub(crate) fixed: &'a [FixResult],
}

impl Report<'_> {
    /// Prints the report as text. With `all`, it also lists every file.
    ///
    /// # Errors
    /// Writing to standard output fails.
    pub(crate) fn text(&self, all: bool) -> Result<(), Failure> {
        let mut text = String::new();
        for fixed in self.fixed {
            text.push_str(&fixed.line());
        }
        for file in self.files.iter().filter(|_| all) {
            text.push_str(&format!("{}: {}\n", escape_for_terminal(file.path()), what(file)));
        }
        for finding in self.findings {
            text.push_str(&line(finding));
        }
        text.push_str(&self.summary());
        output::print(&text)
    }

    fn summary(&self) -> String {
        let notes = self.findings.len() - self.problems();
        let mut parts = vec![
            count(self.files.len(), "file"),
            count(self.images(), "image"),
            format::size(self.size()),
            count(self.problems(), "problem"),
        ];
        parts.extend((notes > 0).then(|| count(notes, "note")));
        format!("{}\n", parts.join(", "))
    }

    fn problems(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_problem).count()
    }

    fn images(&self) -> usize {
        self.files.iter().filter(|file| file.is_image()).count()
    }

    /// Total size in bytes; a file with several names is counted once.
    fn size(&self) -> u64 {
        let mut seen = HashSet::new();
        self.files.iter().filter(|file| seen.insert(file.identity())).map(|file| file.size()).sum()
    }
}

impl FixResult {
    fn line(&self) -> String {
        let path = escape_for_terminal(&self.path);
        let (style, verb) = match self.failed {
            false => (AnsiColor::Green.on_default(), "fixed"),
            true => (AnsiColor::Red.on_default(), "cannot fix"),
        };
        format!("{path}: {style}{verb}{style:#}: {}\n", self.message)
    }
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn line(finding: &Finding) -> String {
    let style = match finding.is_problem {
        true => AnsiColor::Red.on_default(),
        false => Style::new(),
    };
    let message = escape_for_terminal(Path::new(&finding.message()));
    let (path, note) =
        (escape_for_terminal(&finding.path), if finding.is_problem { "" } else { "note: " });
    match finding.advice.as_str() {
        "" => format!("{path}: {style}{note}{message}{style:#}\n"),
        advice => format!("{path}: {style}{note}{message}{style:#}: {advice}\n"),
    }
}

/// A description of the file: whether jobs find it, and under which references.
fn what(file: &File) -> String {
    let size = format::size(file.size());
    let found_as = file.found_as();
    match (file.reference(), file.state()) {
        (None, State::Image) => format!("a SIF file, {size}, whose name matches no reference"),
        (None, _) => "not an image".to_owned(),
        (Some(reference), _) if found_as.is_empty() => {
            let uri = Transport::uri_of(&image_name::short(&reference));
            match file.state() {
                State::Image => format!("an image, {size}, not found as {uri}"),
                _ => format!("not a valid image for {uri}: {}", file.state()),
            }
        }
        _ => {
            let all: Vec<String> = found_as.iter().map(|name| Transport::uri_of(name)).collect();
            format!("an image, {size}, found as {}", all.join(", "))
        }
    }
}
