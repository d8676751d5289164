//! Limits the report to chosen paths and references.

use crate::cache::image_name;
use crate::error::Failure;
use crate::inspect::file::File;
use crate::inspect::finding::{ABSENT, Finding};
use crate::inspect::survey::Survey;
use crate::site;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Paths and references from the command line. If both are empty, everything is chosen.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    paths: Vec<PathBuf>,
    references: Vec<Reference>,
}

impl Chosen {
    /// Parses the arguments.
    ///
    /// # Errors
    /// A path is under no image root, or an argument is not a valid reference.
    pub(crate) fn parse(words: &[OsString], settings: &Settings) -> Result<Self, Failure> {
        let mut chosen = Self::default();
        for word in words {
            let path = Path::new(word);
            let is_path = path.is_absolute() || path.starts_with(".") || path.starts_with("..");
            match (is_path, word.to_str()) {
                (false, Some(text)) => chosen.references.push(image_name::parse(text)?),
                _ => chosen.paths.push(under_a_root(path, settings)?),
            }
        }
        Ok(chosen)
    }

    fn is_all(&self) -> bool {
        self.paths.is_empty() && self.references.is_empty()
    }

    /// The chosen files.
    pub(crate) fn files<'a>(&self, files: &'a [File]) -> Vec<&'a File> {
        files.iter().filter(|file| self.is_meant(file)).collect()
    }

    fn is_meant(&self, file: &File) -> bool {
        let named = |one: &Reference| file.reference().is_some_and(|other| is_same(one, &other));
        self.is_all() || self.has_path(file.path()) || self.references.iter().any(named)
    }

    fn has_path(&self, path: &Path) -> bool {
        self.paths.iter().any(|chosen| path.starts_with(chosen))
    }

    /// The findings about chosen files, and one finding for each chosen path or reference that does
    /// not exist.
    pub(crate) fn findings(&self, survey: &Survey) -> Vec<Finding> {
        let mut findings = survey.findings.clone();
        if self.is_all() {
            return findings;
        }
        let files = self.files(&survey.files);
        let is_meant =
            |path: &Path| self.has_path(path) || files.iter().any(|file| file.path() == path);
        findings.retain(|finding| {
            is_meant(&finding.path) || finding.affected.iter().any(|path| is_meant(path))
        });
        for path in self.paths.iter().filter(|path| path.symlink_metadata().is_err()) {
            findings.push(Finding::problem(ABSENT, path, "does not exist", ""));
        }
        for reference in &self.references {
            let is_there =
                |file: &&File| file.reference().is_some_and(|one| is_same(reference, &one));
            if !files.iter().any(is_there) {
                let short = image_name::short(reference);
                let advice = format!("`sifcache add {short}` pulls it");
                let what = "no file under an image root has this name";
                findings.push(Finding::problem(ABSENT, Path::new(&short), what, advice));
            }
        }
        findings
    }
}

/// Whether two references have the same short name, and so lead to the same files.
fn is_same(one: &Reference, other: &Reference) -> bool {
    image_name::short(one) == image_name::short(other)
}

fn under_a_root(path: &Path, settings: &Settings) -> Result<PathBuf, Failure> {
    let path = site::plain(path)?;
    let is_below = |root: &PathBuf| path.starts_with(root) && !site::has_parents(&path);
    if settings.image_roots.iter().any(is_below) {
        return Ok(path);
    }
    Err(Failure::not_in_own_root("", path, settings))
}
