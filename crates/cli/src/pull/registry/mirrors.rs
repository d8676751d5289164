//! `registries.conf`: mirrors of registries, blocked registries, and registries that may be used
//! without TLS.
//!
//! The files and their rules are those of containers/image 5.33, which Apptainer 1.4 includes.
//! Apptainer does not read `CONTAINERS_REGISTRIES_CONF`, and does not use short names for
//! `docker://`.

mod file;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "containers/registries.conf";
const DIRECTORY: &str = "containers/registries.conf.d";

/// The rules for this host and user.
#[derive(Debug, Clone, Default)]
pub(super) struct Mirrors(Vec<Rule>);

/// A `[[registry]]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// The names that the rule applies to: `HOST[:PORT][/PATH]`, or `*.DOMAIN`.
    pub(super) prefix: String,
    /// The name that replaces the prefix.
    pub(super) location: String,
    /// Whether queries for the digest may use plain HTTP and accept any certificate.
    pub(super) insecure: bool,
    /// Whether nothing may be pulled.
    pub(super) blocked: bool,
    /// The mirrors, in the order of the file.
    pub(super) mirrors: Vec<Mirror>,
    /// The file that contains the rule.
    pub(super) file: PathBuf,
}

/// A `[[registry.mirror]]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirror {
    /// `HOST[:PORT][/PATH]`, in place of the prefix of the rule.
    pub(super) location: String,
    /// Whether plain HTTP is allowed and, in queries for the digest, any certificate.
    pub(super) insecure: bool,
    pub(super) used: Used,
}

/// The references that a mirror is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    Always,
    ForDigests,
    ForTags,
}

impl Mirrors {
    /// Reads the files of this host and user.
    ///
    /// # Errors
    /// A file is invalid or cannot be read, in which case the runtime cannot pull anything. The
    /// message names the file.
    pub(super) fn from_environment() -> Result<Self, String> {
        let home = env::var_os("HOME").filter(|home| !home.is_empty());
        Self::read(Path::new("/etc"), home.map(|home| Path::new(&home).join(".config")).as_deref())
    }

    /// Reads the files. The user's main file, if it exists, replaces the files of the system.
    fn read(etc: &Path, home: Option<&Path>) -> Result<Self, String> {
        let own = home.map(|home| home.join(FILE)).filter(|path| path.exists());
        let own_directory = home.map(|home| home.join(DIRECTORY));
        let directories = match own {
            Some(_) => vec![own_directory],
            None => vec![Some(etc.join(DIRECTORY)), own_directory],
        };
        let main = own.unwrap_or_else(|| etc.join(FILE));
        let mut mirrors = Self::default();
        match fs::read_to_string(&main) {
            Ok(text) => mirrors.merge(file::parse(&text, &main, true)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot read {}: {error}", main.display())),
        }
        for directory in directories.iter().flatten() {
            for path in drop_ins(directory)? {
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                mirrors.merge(file::parse(&text, &path, false)?);
            }
        }
        Ok(mirrors)
    }

    /// Adds rules. A rule from a later file replaces an earlier one for the same prefix.
    fn merge(&mut self, rules: Vec<Rule>) {
        for rule in rules {
            self.0.retain(|known| known.prefix != rule.prefix);
            self.0.push(rule);
        }
    }

    /// The rule with the longest prefix that matches a name `HOST[:PORT][/PATH]`.
    pub(super) fn find(&self, name: &str) -> Option<&Rule> {
        let fitting = self.0.iter().filter(|rule| rule.rest(name).is_some());
        fitting.max_by_key(|rule| rule.prefix.len())
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        let mut mirrors = Self::default();
        mirrors.merge(file::parse(text, Path::new("/r.conf"), true).unwrap());
        mirrors
    }
}

impl Rule {
    /// The part of a name after the prefix, if the prefix matches.
    pub(super) fn rest<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = match self.prefix.strip_prefix('*') {
            Some(domain) if domain.starts_with('.') => {
                let (before, rest) = name.split_once(domain)?;
                (!before.contains('/')).then_some(rest)?
            }
            _ => name.strip_prefix(self.prefix.as_str())?,
        };
        // A prefix without a port also matches a host with a port.
        (rest.is_empty() || rest.starts_with([':', '/', '@'])).then_some(rest)
    }
}

/// The files in a drop-in directory, sorted.
fn drop_ins(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: io::Error| format!("cannot read {}: {error}", directory.display());
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let is_directory = entry.file_type().map_err(failed)?.is_dir();
        if !is_directory && entry.file_name().as_encoded_bytes().ends_with(b".conf") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests;
