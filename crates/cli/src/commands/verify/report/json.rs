//! The JSON object; its format is in docs/json.md.

use super::{FixResult, Report};
use crate::cache::image_name;
use crate::error::Failure;
use crate::inspect::file::File;
use crate::inspect::finding::Finding;
use crate::ui::output;
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Object {
    files: usize,
    images: usize,
    size: u64,
    problems: usize,
    notes: usize,
    findings: Vec<FindingObject>,
    fixed: Vec<FixedObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Vec<FileObject>>,
}

#[derive(Serialize)]
struct FindingObject {
    path: String,
    finding: &'static str,
    problem: bool,
    message: String,
    advice: Option<String>,
    affected: Vec<String>,
}

#[derive(Serialize)]
struct FixedObject {
    path: String,
    change: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct FileObject {
    path: String,
    state: &'static str,
    reference: Option<String>,
    found_as: Vec<String>,
    size: u64,
}

impl Report<'_> {
    /// Prints the report as one JSON object. With `all`, it also lists every file.
    ///
    /// # Errors
    /// Writing to standard output fails.
    pub(crate) fn json(&self, all: bool) -> Result<(), Failure> {
        output::json(&Object {
            files: self.files.len(),
            images: self.images(),
            size: self.size(),
            problems: self.problems(),
            notes: self.findings.len() - self.problems(),
            findings: self.findings.iter().map(FindingObject::new).collect(),
            fixed: self.fixed.iter().map(FixedObject::new).collect(),
            all: all.then(|| self.files.iter().map(|file| FileObject::new(file)).collect()),
        })
    }
}

fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl FindingObject {
    fn new(finding: &Finding) -> Self {
        Self {
            path: lossy(&finding.path),
            finding: finding.token,
            problem: finding.is_problem,
            message: finding.message(),
            advice: Some(finding.advice.clone()).filter(|advice| !advice.is_empty()),
            affected: finding.affected.iter().map(|path| lossy(path)).collect(),
        }
    }
}

impl FixedObject {
    fn new(fixed: &FixResult) -> Self {
        let text = |failed| (fixed.failed == failed).then(|| fixed.message.clone());
        Self { path: lossy(&fixed.path), change: text(false), error: text(true) }
    }
}

impl FileObject {
    fn new(file: &File) -> Self {
        Self {
            path: lossy(file.path()),
            state: file.state().token(),
            reference: file.reference().as_ref().map(image_name::short),
            found_as: file.found_as(),
            size: file.size(),
        }
    }
}
