//! A subdirectory owned by alice in an image root owned by root: no command treats files that she
//! links there as files of the cache.

use super::command::{ACCEPT, REFUSE, WORK, prepare, root, work};
use super::{ALICE, NAME, script};
use crate::kit::{IMAGE, SHARED, Site, inside};
use std::fs;
use std::os::unix::fs::chown;

/// Creates the subdirectory.
fn create_directory(site: &Site) {
    let directory = site.at("ctl", SHARED).join("alice");
    fs::create_dir(&directory).unwrap();
    chown(&directory, Some(ALICE), Some(ALICE)).unwrap();
}

/// Asserts that paths below alice's directory are refused when they are given explicitly.
#[track_caller]
fn refused(site: &Site, file: &str) {
    for words in [
        &["remove", "--yes", "--keep", "0d", "alice/pictures/o/i:1"] as &[&str],
        &["remove", "--yes", "/shared/sif/alice/pictures/notes.txt"],
        &["import", file, "alice/pictures/i:1"],
        &["add", "alice/pictures/i:1"],
        &["import", "--force", file, "alice/pictures/o/i:1"],
    ] {
        let output = root(site, words);
        assert_eq!(output.status, 78, "{words:?}: {output:#?}");
        assert!(output.stderr.contains("/alice belongs to the ordinary user 1001"), "{output:#?}");
    }
}

/// alice's directory contains a symbolic link to bob's files.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_users_directory_in_the_root() {
    let site = Site::with_line(REFUSE);
    let before = prepare(&site);
    create_directory(&site);
    script(
        &site,
        "alice",
        &format!("ln -s {WORK} {SHARED}/alice/pictures; mkdir {SHARED}/alice/x"),
    );
    let file = inside(IMAGE);
    for plugstack in [REFUSE, ACCEPT] {
        site.plugstack(plugstack);
        refused(&site, &file);
        // The site's own images are still removed.
        site.store(IMAGE, NAME);
        for words in [
            &["gc", "--yes", "--keep", "0d", "--max-size", "0"],
            &["gc", "--yes", "--keep", "9d", "--older-than", "1d"],
        ] {
            let output = root(&site, words);
            assert_eq!(output.status, 0, "{output:#?}");
            assert!(
                output.stderr.contains("o/i:1 is not removed: /shared/sif/alice belongs"),
                "{output:#?}"
            );
        }
        assert!(!site.at("ctl", SHARED).join(NAME).exists());
        root(&site, &["verify", "--fix"]);
        assert_eq!(work(&site), before, "{plugstack}");
    }
}

/// alice replaces her directory with a link to bob's files while root runs `gc` and `verify --fix`:
/// during the check, during the removal, or during both.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_directory_exchanged_while_root_writes() {
    let site = Site::with_line(REFUSE);
    let before = prepare(&site);
    create_directory(&site);
    let bait = format!("cp {} ~/bait; touch -d 2020-01-01 ~/bait; chmod 666 ~/bait", inside(IMAGE));
    script(&site, "alice", &bait);
    let stop = site.at("ctl", "/shared/stop");
    let _ = fs::remove_file(&stop);
    let swap = format!(
        "cd {SHARED}/alice; until [ -e /shared/stop ]; do \
           mkdir -p d/o; cp -p ~/bait d/o/i:1; ln -sfn nowhere d/dangling@sha256:{}; sleep 0.005; \
           rm -rf gone; mv d gone; ln -sfn {WORK} d; sleep 0.005; rm d; done 2>/dev/null",
        "0".repeat(64)
    );
    std::thread::scope(|scope| {
        let alice = scope.spawn(|| site.alice(&["bash", "-c", &swap]));
        let gc = "sifcache gc --yes --keep 0d --max-size 0";
        let commands = format!("for n in $(seq 40); do {gc}; sifcache verify --fix; done");
        site.exec(&[], &["bash", "-c", &commands], "");
        fs::write(&stop, "").unwrap();
        alice.join().unwrap();
    });
    assert_eq!(work(&site), before);
}
