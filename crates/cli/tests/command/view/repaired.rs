//! Repairs of views that an interrupted command or another user has damaged.

use super::site::Site;
use std::fs;
use std::os::unix::fs::symlink;

/// Damages the view in each way that an interrupted command can: a link is missing, one leads to
/// another image, one has lost its image, and one has its temporary name.
fn damage(site: &Site) {
    fs::remove_file(site.entry("nextflow/o-good-1.img")).unwrap();
    site.tree.image("root/o/two:1", 2);
    let full = site.entry("nextflow/docker.io-o-good-1.img");
    fs::remove_file(&full).unwrap();
    // The same reference under its full name, which had a file before.
    symlink(site.tree.path("root/docker.io/o/good:1"), &full).unwrap();
    let root = site.tree.path("root");
    symlink(root.join("o/gone:1"), site.entry("nextflow/o-gone-1.img")).unwrap();
    symlink(root.join("o/two:1"), site.entry("nextflow/.sifcache-h.1.0")).unwrap();
}

const REPAIRED: [(&str, &str); 4] = [
    ("nextflow/docker.io-o-good-1.img", "root/o/good:1"),
    ("nextflow/docker.io-o-two-1.img", "root/o/two:1"),
    ("nextflow/o-good-1.img", "root/o/good:1"),
    ("nextflow/o-two-1.img", "root/o/two:1"),
];

#[track_caller]
fn is_repaired(site: &Site) {
    let found: Vec<(String, String)> =
        site.entries().into_iter().map(|name| (name.clone(), site.target(&name))).collect();
    let expected = REPAIRED.map(|(name, target)| (name.to_owned(), target.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn the_next_run_completes_the_view() {
    let Some(site) = Site::with_view("nextflow") else { return };
    damage(&site);
    let object = site.json(&["view"]);
    let directory = &object["views"][0]["directories"][0];
    let counts = ["names", "created", "replaced", "removed"].map(|key| &directory[key]);
    assert_eq!(counts, [4, 3, 1, 2], "{object:#}");
    is_repaired(&site);
    let object = site.json(&["view"]);
    let directory = &object["views"][0]["directories"][0];
    let counts = ["names", "created", "replaced", "removed"].map(|key| &directory[key]);
    assert_eq!(counts, [4, 0, 0, 0], "{object:#}");
}

#[test]
fn verify_reports_and_repairs() {
    let Some(site) = Site::with_view("nextflow,miniwdl") else { return };
    site.tree.is_fine();
    site.create("nextflow");
    damage(&site);
    let line = site.tree.problem("view-outdated", "view/nextflow");
    let expected =
        "links of this view are not current: 3 missing, 1 wrong, 2 left over: sifcache view ";
    assert!(line.contains(expected), "{line}");
    let object = site.tree.object(&["--fix"]);
    assert_eq!(object["fixed"][0]["path"], site.tree.text("view/nextflow"), "{object:#}");
    is_repaired(&site);
    site.tree.is_fine();
}

#[test]
fn verify_reports_names_without_a_link() {
    let Some(site) = Site::with_view("miniwdl") else { return };
    site.import(2, "org/tool:2_1");
    site.import(3, "org/tool_2:1");
    let findings = site.tree.findings(&[]);
    assert_eq!(findings.len(), 2, "{findings:?}");
    let shared =
        ("view-shared-name".to_owned(), "view/miniwdl/docker___org_tool_2_1.sif".to_owned());
    assert!(findings.contains(&(shared.0, shared.1, false)), "{findings:?}");
    site.good(&["remove", "--yes", "org/tool:2_1"]);
    fs::remove_file(site.entry("miniwdl/docker___o_good_1.sif")).unwrap();
    site.tree.file("view/miniwdl/docker___o_good_1.sif", b"mine");
    let taken = ("view-name-taken".to_owned(), "view/miniwdl/docker___o_good_1.sif".to_owned());
    let findings = site.tree.findings(&[]);
    assert!(findings.contains(&(taken.0, taken.1, true)), "{findings:?}");
    let object = site.tree.object(&["--fix"]);
    assert_eq!(object["fixed"], serde_json::json!([]), "{object:#}");
}

#[test]
fn verify_reports_a_view_that_users_can_write() {
    let Some(site) = Site::with_view("nextflow") else { return };
    crate::tree::mode(&site.tree.path("view"), 0o777);
    let line = site.tree.problem("untrusted", "view");
    assert!(line.ends_with("can be written by everybody: chmod go-w"), "{line}");
}
