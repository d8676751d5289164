//! Tests of the images that a report knows.

use super::{Facts, Found, Held, Holdings};
use crate::cache::store::Store;
use crate::cache::store::metadata::{self, Record};
use crate::cache::store::other_roots::OtherRoots;
use crate::cache::store::retention::Retention;
use crate::cache::store::tests::{sif, store};
use crate::inspect::survey::{self, Survey};
use jiff::SignedDuration;
use sif_fixture::SMALLEST;
use sifcache_core::settings::Settings;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

fn holdings(settings: &Settings, dead: &dyn Fn(&Path) -> Option<String>) -> Holdings {
    Holdings::new(settings, &survey(settings), dead)
}

fn survey(settings: &Settings) -> Survey {
    survey::survey(settings, Duration::from_secs(30)).unwrap()
}

#[test]
fn images_are_found_by_all_of_their_names() {
    let (_directory, store) = store();
    let elsewhere = tempfile::tempdir().unwrap();
    sif(&store.path("o/i:1"), 1);
    fs::hard_link(store.path("o/i:1"), store.path("o/i:2")).unwrap();
    fs::write(store.path("o/README"), "text").unwrap();
    sif(&store.path("o/gone:1"), 1);
    let retention = Retention::new(SignedDuration::from_hours(48));
    retention.take(&store, "o/gone:1").unwrap();
    let foreign = elsewhere.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("i.img"), "image").unwrap();
    let line = format!("image_root={}:nextflow={}", store.root().display(), foreign.display());
    let settings = Settings::parse(&[line.as_bytes()]).unwrap();
    let holdings = holdings(&settings, &|_| None);
    let find = |name: &str| holdings.find(&store.root().join(name));
    assert_eq!(find("o/i:1").size(), Some(SMALLEST));
    assert_eq!(find("o/i:2"), find("o/i:1"));
    assert_eq!(find("o/gone:1"), Found::Removed(SMALLEST));
    for other in ["o/README", "o/none", "o/../o/i:1", "/etc/passwd", ".sifcache/last_used.json"] {
        assert_eq!(find(other), Found::Unknown, "{other}");
    }
    assert_eq!(holdings.find(&foreign.join("i.img")), Found::Foreign(5));
    assert_eq!(holdings.find(&foreign.join("../foreign/i.img")), Found::Unknown);
    let root: &Held = &holdings.roots[0];
    assert_eq!((root.images().count(), root.invalid_files), (1, 1));
    assert_eq!(root.names(0).collect::<Vec<_>>(), ["o/README"]);
}

/// What a root holds, for a comparison.
fn shown(held: &Held) -> (Vec<(Vec<String>, Facts)>, usize) {
    let names = |index| held.names(index).map(str::to_owned).collect();
    let images = held.images().map(|(index, facts)| (names(index), facts)).collect();
    (images, held.invalid_files)
}

/// Images that jobs refuse, names in an unusual order, and records that differ.
fn messy(store: &Store) {
    let path = |name: &str| store.path(name);
    let digest = format!("o/i@sha256:{}", "0f".repeat(32));
    sif(&path("o/i:1"), 1);
    for name in ["o/a/i:3", "o.x/i:1", "o0/i:1", &digest] {
        fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        fs::hard_link(path("o/i:1"), path(name)).unwrap();
    }
    record(store, "o0/i:1", "2026-01-01T00:00:00Z", "amd64");
    record(store, "o/i:1", "2026-02-01T00:00:00Z", "amd64");
    record(store, "o.x/i:1", "2026-03-01T00:00:00Z", "amd64");
    sif(&path("open:1"), 2);
    fs::set_permissions(path("open:1"), Permissions::from_mode(0o666)).unwrap();
    record(store, "open:1", "2026-04-01T00:00:00Z", "");
    fs::write(path("cut:1"), &fs::read(path("o/i:1")).unwrap()[..200]).unwrap();
    record(store, "cut:1", "2026-05-01T00:00:00Z", "arm64");
    fs::write(path("text:1"), "text").unwrap();
    record(store, "text:1", "2026-05-01T00:00:00Z", "of a toaster");
    sif(&path("Not:AReference"), 3);
    record(store, "Not:AReference", "2026-06-01T00:00:00Z", "amd64");
    symlink("nowhere", path("dangling:1")).unwrap();
    symlink("open:1", path("linked:1")).unwrap();
    symlink("o", path("directory")).unwrap();
    fs::write(store.root().join(OsStr::from_bytes(b"\xff")), "").unwrap();
}

fn record(store: &Store, name: &str, added: &str, architecture: &str) {
    let metadata = fs::metadata(store.path(name)).unwrap();
    let record = Record {
        reference: format!("docker.io/{name}"),
        source: String::new(),
        digests: vec!["sha256:0f".to_owned()],
        added: added.parse().unwrap(),
        runtime: None,
        sha256: String::new(),
        size: metadata.len(),
        architecture: architecture.to_owned(),
        modified: metadata::modified(&metadata).unwrap(),
    };
    record.save(store, name).unwrap();
}

/// The survey sees what a walk of its own finds, also if only a part of a root was searched.
#[test]
fn a_survey_has_the_same_images_as_a_walk() {
    let (_directory, store) = store();
    messy(&store);
    let settings = Settings::with_roots(vec![store.root().to_owned()]);
    let found = survey(&settings);
    assert_eq!(found.whole, [0]);
    let expected = shown(&Held::read(store.root(), &OtherRoots::default()).unwrap());
    assert_eq!((expected.0.len(), expected.1), (4, 3), "{expected:?}");
    assert_eq!(expected.0.iter().filter(|(_, facts)| facts.has_tag).count(), 3);
    assert_eq!(shown(&Held::of(store.root(), found.of_root(0))), expected);
    symlink(".", store.path("circle")).unwrap();
    let found = survey(&settings);
    assert_eq!(found.whole, [0; 0]);
    let held = &Holdings::new(&settings, &found, &|_| None).roots[0];
    assert_eq!(shown(held), (expected.0, expected.1 + 1));
}

#[test]
fn a_root_that_cannot_be_read_is_named() {
    let settings = Settings::parse(&["image_root=/no/such/root:/dead"]).unwrap();
    let dead = |path: &Path| path.ends_with("dead").then(|| "no answer".to_owned());
    let roots = holdings(&settings, &dead).roots;
    let errors: Vec<&str> = roots.iter().filter_map(|root| root.error.as_deref()).collect();
    assert_eq!(errors, ["it is not a directory, or does not exist", "no answer"]);
}
