//! Views are current after each command that changes the image root.

use super::site::Site;
use std::fs;

#[test]
fn import_remove_and_gc() {
    let Some(site) = Site::with_view("nextflow") else { return };
    site.import(2, "o/two:1");
    assert_eq!(site.target("nextflow/o-two-1.img"), "root/o/two:1");
    site.good(&["remove", "--yes", "o/two:1"]);
    let good = ["nextflow/docker.io-o-good-1.img", "nextflow/o-good-1.img"];
    assert_eq!(site.entries(), good);
    site.good(&["gc", "--yes", "--max-size", "0"]);
    assert!(site.entries().is_empty(), "{:?}", site.entries());
}

#[test]
fn add_and_refresh() {
    let Some(site) = Site::with_view("nextflow") else { return };
    site.runtime(2);
    // No registry listens there, so the digest stays unknown.
    let reference = "127.0.0.1:1/o/i:1";
    let output = site.run(&["add", reference]);
    assert_eq!(output.status, Some(0), "{output:?}");
    let name = "nextflow/127.0.0.1-1-o-i-1.img";
    assert_eq!(site.target(name), format!("root/{reference}"));
    // Even if refresh itself does nothing, it restores a link that was lost.
    fs::remove_file(site.entry(name)).unwrap();
    site.run(&["refresh", reference]);
    assert_eq!(site.target(name), format!("root/{reference}"));
}

#[test]
fn dry_runs_change_nothing() {
    let Some(site) = Site::with_view("nextflow") else { return };
    site.tree.image("root/o/two:1", 2);
    let before = site.entries();
    let lines: [&[&str]; 5] = [
        &["view", "--dry-run"],
        &["add", "--dry-run", "o/good:1"],
        &["remove", "--dry-run", "o/good:1"],
        &["gc", "--dry-run", "--max-size", "0"],
        &["refresh", "--check", "o/good:1"],
    ];
    for words in lines {
        site.run(words);
        assert_eq!(site.entries(), before, "{words:?}");
    }
    let object = site.json(&["view", "--dry-run"]);
    assert_eq!(object["views"][0]["directories"][0]["created"], 2, "{object:#}");
    let new = site.tree.text("new");
    let object = site.json(&["view", "--dry-run", &new, "--for", "miniwdl"]);
    assert_eq!(object["views"][0]["directories"][0]["created"], 4, "{object:#}");
    assert!(!site.tree.path("new").exists());
    site.good(&["view", "--remove", "--dry-run", &site.tree.text("view")]);
    assert_eq!(site.entries(), before);
}

/// The command has changed the image root, so it reports the failure of the view only.
#[test]
fn a_view_that_cannot_be_updated_is_reported() {
    let Some(site) = Site::with_view("nextflow") else { return };
    crate::tree::mode(&site.tree.path("view"), 0o777);
    let file = site.tree.image("two.sif", 2);
    let output = site.run(&["import", file.to_str().unwrap(), "o/two:1"]);
    assert_eq!(output.status, Some(1), "{output:?}");
    let view = site.tree.text("view");
    let message = format!("view {view} is not updated: nothing is changed there: {view} can be");
    assert!(output.stderr.contains(&message), "{}", output.stderr);
    assert!(site.tree.path("root/o/two:1").is_file());
    crate::tree::mode(&site.tree.path("view"), 0o755);
    site.good(&["view"]);
    assert_eq!(site.target("nextflow/o-two-1.img"), "root/o/two:1");
}

#[test]
fn engines_can_be_changed() {
    let Some(site) = Site::with_view("nextflow,cwltool") else { return };
    site.create("miniwdl");
    let names = ["miniwdl/docker___docker.io_o_good_1.sif", "miniwdl/docker___o_good_1.sif"];
    assert_eq!(site.entries(), names);
    site.import(2, "o/two:1");
    assert_eq!(site.entries().len(), 4);
}

#[test]
fn a_removed_view_is_no_longer_updated() {
    let Some(site) = Site::with_view("nextflow,shpc") else { return };
    site.tree.file("view/nextflow/NOTES", b"");
    site.good(&["view", "--remove", &site.tree.text("view")]);
    assert_eq!(site.entries(), ["nextflow/NOTES"]);
    assert!(!site.entry("shpc").exists());
    site.import(2, "o/two:1");
    assert_eq!(site.entries(), ["nextflow/NOTES"]);
    assert_eq!(site.run(&["view", &site.tree.text("view")]).status, Some(64));
    let output = site.good(&["view"]);
    assert!(output.stdout.starts_with("there are no views"), "{output:?}");
}
