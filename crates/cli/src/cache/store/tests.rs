//! Tests of the rules for all changes to a store. Each test uses its own store.

use super::Store;
use super::retention::Retention;
use crate::exit::Exit;
use jiff::SignedDuration;
use sif_fixture::{Object, Sif, file_system};
use sifcache_core::settings::{Settings, Untrusted};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use tempfile::TempDir;

/// A store whose directory is accepted regardless of its owner and mode.
pub(crate) fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = Settings::with_roots(vec![directory.path().to_owned()]);
    settings.untrusted = Untrusted::Accept;
    let store = Store::open(directory.path(), &settings).unwrap();
    (directory, store)
}

/// Writes the smallest file that passes the checks. `which` is the first byte of its ID.
pub(crate) fn sif(path: &Path, which: u8) {
    Sif::image().id(which).write(path).unwrap();
}

fn which(path: &Path) -> u8 {
    fs::read(path).unwrap()[48]
}

const DAY: Retention = Retention::new(SignedDuration::from_hours(24));

#[test]
fn a_replaced_image_is_kept() {
    let (_directory, store) = store();
    for round in 1..=2 {
        let scratch = store.scratch().unwrap();
        sif(&scratch.path("image"), round);
        store.finish(&scratch.path("image")).unwrap();
        let kept = store.place(&scratch.path("image"), "o/i:1", DAY).unwrap();
        assert_eq!(which(&store.path("o/i:1")), round);
        assert_eq!(kept.map(|kept| which(&kept)), (round == 2).then_some(1));
    }
    let metadata = fs::metadata(store.path("o/i:1")).unwrap();
    assert_eq!((metadata.mode() & 0o777, metadata.nlink()), (0o644, 1));
    assert_eq!(fs::read_dir(store.state().join("tmp")).unwrap().count(), 0);
}

/// A runtime leaves such a file behind if its mksquashfs is killed.
#[test]
fn a_missing_root_file_system_is_refused() {
    let (_directory, store) = store();
    let scratch = store.scratch().unwrap();
    let path = scratch.path("image");
    let of = |file_system| Sif::empty().with(Object::root_file_system(file_system, [0; 287]));
    // The partition has no superblock.
    of(file_system::SQUASHFS).write(&path).unwrap();
    let failure = store.finish(&path).unwrap_err();
    assert_eq!(failure.exit(), Exit::DATA);
    assert_eq!(
        failure.to_string(),
        "this is not a valid image: its root file system is not squashfs 4.0"
    );
    of(file_system::GOCRYPTFS_SQUASHFS).write(&path).unwrap();
    let failure = store.finish(&path).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "this is not a valid image: encrypted: the runtime needs a key"
    );
}

#[test]
fn a_digest_name_survives_a_moved_tag() {
    let (_directory, store) = store();
    sif(&store.path("i:1"), 1);
    store.link_digest("i:1", "o/i@sha256:aa", DAY).unwrap();
    store.link_digest("i:1", "o/i@sha256:aa", DAY).unwrap();
    let scratch = store.scratch().unwrap();
    sif(&scratch.path("image"), 2);
    store.place(&scratch.path("image"), "i:1", DAY).unwrap();
    assert_eq!(which(&store.path("i:1")), 2);
    assert_eq!(which(&store.path("o/i@sha256:aa")), 1);
    // An image under a digest name has the content of that digest, so it stays; any other file is
    // replaced.
    store.link_digest("i:1", "o/i@sha256:aa", DAY).unwrap();
    assert_eq!(which(&store.path("o/i@sha256:aa")), 1);
    fs::write(store.path("o/i@sha256:bb"), "half a cop").unwrap();
    store.link_digest("i:1", "o/i@sha256:bb", DAY).unwrap();
    assert_eq!(which(&store.path("o/i@sha256:bb")), 2);
}

#[test]
fn a_file_that_is_not_an_image_is_refused() {
    let (_directory, store) = store();
    let scratch = store.scratch().unwrap();
    fs::write(scratch.path("image"), "<html>").unwrap();
    let failure = store.finish(&scratch.path("image")).unwrap_err().to_string();
    assert_eq!(failure, "this is not a valid image: not a SIF file");
}

#[test]
fn obstacles_are_named_in_the_error() {
    let (directory, store) = store();
    sif(&store.path("ubuntu"), 1);
    fs::create_dir(store.path("alpine:3")).unwrap();
    let path = directory.path().display();
    let message = |name| store.can_hold(name).unwrap_err().to_string();
    assert_eq!(message("alpine:3"), format!("{path}/alpine:3 is a directory"));
    let expected = format!("{path}/ubuntu is not a directory, and ubuntu/i:1 needs one");
    assert_eq!(message("ubuntu/i:1"), expected);
    assert!(store.can_hold("ubuntu").is_ok() && store.can_hold("a/b/c:1").is_ok());
}

#[test]
fn old_names_in_the_hidden_directory_are_replaced() {
    let (directory, store) = store();
    let state = store.state();
    fs::remove_dir(state.join("metadata")).unwrap();
    fs::create_dir(state.join("known")).unwrap();
    fs::write(state.join("known/i:1.json"), "{}").unwrap();
    fs::write(state.join("served.json"), "old").unwrap();
    let mut settings = Settings::with_roots(vec![directory.path().to_owned()]);
    settings.untrusted = Untrusted::Accept;
    Store::open(directory.path(), &settings).unwrap();
    assert!(state.join("metadata/i:1.json").exists());
    assert!(!state.join("known").exists());
    assert_eq!(fs::read_to_string(state.join("last_used.json")).unwrap(), "old");
    // A file that already has the new name keeps its content.
    fs::write(state.join("served.json"), "older").unwrap();
    Store::open(directory.path(), &settings).unwrap();
    assert_eq!(fs::read_to_string(state.join("last_used.json")).unwrap(), "old");
}
