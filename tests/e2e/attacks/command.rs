//! Root maintains a cache that alice can write to, and no command can be redirected to other users'
//! files.

use super::{ALICE, NAME, script};
use crate::kit::{IMAGE, Output, SHARED, Site, inside, sif};
use std::fs;
use std::os::unix::fs::chown;

/// Files of bob that alice may not change. Some of them look like files of sifcache.
pub(super) const WORK: &str = "/home/bob/work";

/// Everything below [`WORK`]: names, owners, modes, contents.
pub(super) fn work(site: &Site) -> String {
    let list = format!(
        "cd {WORK} && find . -printf '%p %u %m %n %s %T@ %l\\n' | sort && \
         find . -type f -print0 | sort -z | xargs -0 sha256sum"
    );
    script(site, "root", &list)
}

pub(super) fn prepare(site: &Site) -> String {
    let make = format!(
        "rm -rf {WORK}; umask 022; chmod 755 ~; mkdir -p {WORK}/o {WORK}/20240101T000000Z.results; cd {WORK}
         echo notes >notes.txt; echo '{{}}' >results.json; echo x >run.lock; mkdir tmp lock kept metadata
         echo 1 >tmp/host.1.0.lock; mkdir tmp/host.1.0; echo 2 >tmp/host.1.0/thesis; echo 3 >metadata/a.json
         echo 4 >20240101T000000Z.results/thesis; echo 5 >kept/thesis; echo 6 >lock/thesis; echo 7 >last_used.json
         ln -s nowhere 'dangling@sha256:{}'",
        "0".repeat(64)
    );
    script(site, "bob", &make);
    let image = site.at("ctl", WORK).join(NAME);
    fs::copy(sif(IMAGE), &image).unwrap();
    chown(image, Some(super::BOB), Some(super::BOB)).unwrap();
    // Old enough for `gc` to remove it.
    script(site, "root", &format!("touch -d 2020-01-01 {WORK}/{NAME}"));
    work(site)
}

pub(super) fn root(site: &Site, words: &[&str]) -> Output {
    site.exec(&[], &[&["sifcache"], words].concat(), "")
}

/// Settings for an image root that belongs to alice, which the site accepts.
pub(super) const ACCEPT: &str =
    "optional spank_sifcache.so image_root=/shared/sif untrusted=accept\n";
/// The same settings without `untrusted=accept`.
pub(super) const REFUSE: &str = "optional spank_sifcache.so image_root=/shared/sif\n";

/// Every command that writes to an image root.
fn writing(file: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["import", "--force", file, "o/i:2"],
        vec!["add", "alpine:3.20"],
        vec!["refresh", "o/i:1"],
        vec!["remove", "--yes", "--keep", "0d", "o/i:1"],
        vec!["gc"],
        vec!["gc", "--yes", "--keep", "0d", "--max-size", "0"],
    ]
}

/// Commands that write to an image root as a side effect.
const BESIDE: [&[&str]; 3] =
    [&["verify", "--fix"], &["hits", "--log", "/home/hits.log"], &["doctor"]];

#[test]
#[ignore = "needs a testbed: make test"]
fn a_hidden_directory_that_is_a_link() {
    let site = Site::with_line(ACCEPT);
    site.store(IMAGE, NAME);
    let before = prepare(&site);
    chown(site.at("ctl", SHARED), Some(ALICE), Some(ALICE)).unwrap();
    let line = "2026-01-01T00:00:00+00:00 n1 sifcache: event=hit uid=1 reference=docker.io/o/i:1 image=/shared/sif/o/i:1\n";
    fs::write(site.at("ctl", "/home/hits.log"), line).unwrap();
    let file = inside(IMAGE);
    for place in
        [".sifcache", ".sifcache/tmp", ".sifcache/lock", ".sifcache/kept", ".sifcache/metadata"]
    {
        let plant = format!(
            "cd {SHARED}; rm -rf .sifcache; mkdir -p .sifcache; rm -rf {place}; ln -s {WORK} {place}"
        );
        script(&site, "alice", &plant);
        for plugstack in [ACCEPT, REFUSE] {
            site.plugstack(plugstack);
            for words in writing(&file) {
                let output = root(&site, &words);
                assert_ne!(output.status, 0, "{place} {words:?}: {output:#?}");
                assert!(
                    output.stderr.contains("belongs to the ordinary user 1001"),
                    "{place} {words:?}: {output:#?}"
                );
            }
            for words in BESIDE {
                root(&site, words);
            }
            assert_eq!(work(&site), before, "{place} {plugstack}");
        }
    }
    assert!(site.at("ctl", SHARED).join(NAME).exists());
}

/// The image root belongs to root, but others can write to parts of its hidden directory.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_hidden_directory_that_alice_can_write() {
    let site = Site::with_line(REFUSE);
    site.store(IMAGE, NAME);
    let before = prepare(&site);
    assert_eq!(root(&site, &["gc"]).status, 0);
    let file = inside(IMAGE);
    for (place, mode) in [("tmp", "777"), ("kept", "1777"), ("lock", "775"), ("metadata", "777")] {
        let open =
            format!("cd {SHARED}/.sifcache; chmod 755 *; chgrp 1001 {place}; chmod {mode} {place}");
        script(&site, "root", &open);
        let name =
            if place == "metadata" { "metadata/o" } else { &format!("{place}/20240101T000000Z.x") };
        script(&site, "alice", &format!("cd {SHARED}/.sifcache; ln -sfn {WORK}/tmp {name}"));
        for words in writing(&file) {
            let output = root(&site, &words);
            assert_eq!(output.status, 78, "{place} {words:?}: {output:#?}");
            assert!(
                output.stderr.contains("could redirect this command to other files"),
                "{output:#?}"
            );
        }
        for words in BESIDE {
            root(&site, words);
        }
        assert_eq!(work(&site), before, "{place}");
    }
    // doctor reports it.
    let stdout = root(&site, &["doctor"]).stdout;
    assert!(stdout.contains("/shared/sif/.sifcache"), "{stdout}");
}

/// alice could replace the directory where the runtime unpacks images for root.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_directory_for_temporary_files_that_everybody_can_write() {
    let site = Site::with_line(REFUSE);
    let before = prepare(&site);
    script(&site, "root", "rm -rf /shared/scratch; mkdir -m 777 /shared/scratch");
    let add = ["env", "APPTAINER_TMPDIR=/shared/scratch", "sifcache", "add", "alpine:3.20"];
    let run = || crate::kit::with_hub(|| site.exec(&[], &add, ""));
    // alice creates it first, which the command detects.
    script(&site, "alice", &format!("ln -s {WORK} /shared/scratch/sifcache-0"));
    let output = run();
    assert!(output.stderr.contains("is not a directory that only you can access"), "{output:#?}");
    script(&site, "alice", "rm /shared/scratch/sifcache-0");
    let output = run();
    assert!(output.stderr.contains("/shared/scratch can be written by everybody"), "{output:#?}");
    script(&site, "root", "chmod 1777 /shared/scratch");
    assert_eq!(run().status, 0);
    script(&site, "root", "rm -rf /shared/scratch");
    assert_eq!(work(&site), before);
}
