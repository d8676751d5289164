//! Invariants of an image root, which hold at any moment, even after processes were killed.

use super::{Site, WHICH};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use sifcache_core::candidate;
use sifcache_core::image::{Root, State};
use sifcache_core::reference::Reference;
use sifcache_core::settings::Untrusted;

/// Checks every file of an image root, and returns the names outside of `.sifcache`. Each of these
/// files must be a complete image under a name that a job looks up. Everybody must be able to read
/// it, and only root may write it. A file with a digest in its name must have the content that was
/// pulled for that digest. Directories and records must be complete too.
#[track_caller]
pub(crate) fn check(root: &Path) -> Vec<String> {
    directories(root);
    records(root);
    let mut names: Vec<String> = files(root)
        .into_iter()
        .map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned())
        .filter(|name| !name.starts_with(".sifcache/"))
        .collect();
    names.sort();
    // Seen from outside of the cluster, the path to the root differs from the one that jobs use.
    // Therefore ownership and write permission are checked here, file by file.
    let entered = Root::enter(root, Untrusted::Accept);
    for name in &names {
        assert!(is_looked_for(name), "{name}");
        assert_eq!(entered.check(name), State::Image, "{name}");
        let metadata = fs::metadata(root.join(name)).unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        assert_eq!((metadata.uid(), mode & 0o022, mode & 0o044), (0, 0, 0o044), "{name}: {mode:o}");
        content(root, name);
    }
    names
}

/// Only root may write to any directory, and everybody may read every directory except
/// `.sifcache/tmp`.
#[track_caller]
fn directories(directory: &Path) {
    // Another process may remove the directory at any moment; the same applies below.
    let Ok(metadata) = fs::symlink_metadata(directory) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    assert_eq!((metadata.uid(), mode & 0o022), (0, 0), "{}: {mode:o}", directory.display());
    // Work in progress need not be readable for others.
    if directory.ends_with(".sifcache/tmp") {
        return;
    }
    assert_eq!(mode, 0o755, "{}", directory.display());
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            directories(&entry.path());
        }
    }
}

/// Each record is either complete or absent.
#[track_caller]
fn records(root: &Path) {
    for path in files(&root.join(".sifcache/metadata")) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let record: Result<Value, _> = serde_json::from_str(&text);
        assert!(record.is_ok(), "{}: {text:?}", path.display());
    }
}

/// Whether some reference has a candidate of this name.
fn is_looked_for(name: &str) -> bool {
    let stem = name.strip_suffix(".sif");
    let texts = [Some(name), stem].into_iter().flatten();
    let mut references = texts.filter_map(|text| Reference::parse(text.as_bytes()).ok());
    references.any(|reference| candidate::names(&reference).iter().any(|one| one == name))
}

/// Starts every image of the root that has a digest in its name, and asserts that it is the image
/// that was pulled for this digest. `pulled` contains pairs of a digest and an image. Returns the
/// number of images that were started.
#[track_caller]
pub(crate) fn pinned(site: &Site, root: &str, pulled: &[(String, &str)]) -> usize {
    let names = check(&site.at("ctl", root));
    let pinned: Vec<_> = names.iter().filter_map(|name| name.split_once('@')).collect();
    for (path, digest) in &pinned {
        let name = format!("{root}/{path}@{digest}");
        let is = pulled.iter().find(|(one, _)| digest.trim_end_matches(".sif") == one);
        let Some((_, image)) = is else { panic!("{name}: this digest was not pulled") };
        site.alice(&[&["apptainer", "exec", &name], &WHICH[..]].concat()).ran(image);
    }
    pinned.len()
}

/// Compares a file with its record, if the record is about this version of the file.
#[track_caller]
fn content(root: &Path, name: &str) {
    let record = root.join(format!(".sifcache/metadata/{name}.json"));
    let Ok(text) = fs::read_to_string(&record) else { return };
    let known: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text:?}: {e}"));
    let path = root.join(name);
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let seconds = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    // A record is written after its file, so the record may still describe the previous file.
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

/// Asserts that no work is in progress and no lock is held.
#[track_caller]
pub(crate) fn is_clean(root: &Path) {
    for directory in ["tmp", "lock"] {
        // Empty directories count too.
        let entries = fs::read_dir(root.join(".sifcache").join(directory)).into_iter().flatten();
        let left: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// All files below a directory.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        // A directory that was removed meanwhile has no files.
        let Ok(entry) = entry else { continue };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => all.extend(files(&entry.path())),
            _ => all.push(entry.path()),
        }
    }
    all
}
