//! What holds of an image root at any moment, whatever has been killed there.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use sifcache_core::image::{Root, State};
use sifcache_core::settings::Untrusted;

/// Checks every file of an image root, and returns the names outside of `.sifcache`: whole
/// images that everybody may read and nobody else may write, and under a name with a
/// digest what was pulled under it.
#[track_caller]
pub(crate) fn check(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = files(root)
        .into_iter()
        .map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned())
        .filter(|name| !name.starts_with(".sifcache/"))
        .collect();
    names.sort();
    let entered = Root::enter(root, Untrusted::Accept);
    for name in &names {
        assert_eq!(entered.check(name), State::Image, "{name}");
        let metadata = fs::metadata(root.join(name)).unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        assert_eq!((metadata.uid(), mode & 0o022, mode & 0o044), (0, 0, 0o044), "{name}: {mode:o}");
        content(root, name);
    }
    names
}

/// Compares a file with its record, if that is about this file.
#[track_caller]
fn content(root: &Path, name: &str) {
    let record = root.join(format!(".sifcache/known/{name}.json"));
    let Ok(text) = fs::read_to_string(&record) else { return };
    let known: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text:?}: {e}"));
    let path = root.join(name);
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let seconds = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    // A record is written after its file: one of the file before is none of this one.
    let of: jiff::Timestamp = known["modified"].as_str().unwrap().parse().unwrap();
    if i128::try_from(seconds.as_nanos()).unwrap() != of.as_nanosecond() {
        return;
    }
    assert_eq!(known["sha256"].as_str().unwrap(), sha256(&path), "{name}");
    if let Some((_, digest)) = name.split_once('@') {
        let digests = known["digests"].as_array().unwrap();
        assert!(digests.iter().any(|one| one == digest), "{name}: {known}");
    }
}

/// The SHA-256 of a file.
pub(crate) fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim_start_matches('\\')[..64].to_owned()
}

/// Nothing is in progress and nobody is waited for.
#[track_caller]
pub(crate) fn is_clean(root: &Path) {
    for directory in ["tmp", "lock"] {
        let left = files(&root.join(".sifcache").join(directory));
        assert!(left.is_empty(), "{left:?}");
    }
}

/// All files below a directory.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        // A directory that goes meanwhile has no files.
        let Ok(entry) = entry else { continue };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => all.extend(files(&entry.path())),
            _ => all.push(entry.path()),
        }
    }
    all
}
