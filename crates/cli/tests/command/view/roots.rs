//! Views of several image roots.

use super::site::Site;
use std::fs;

#[test]
fn the_first_root_wins() {
    let Some(site) = Site::with_roots(&["local", "shared"]) else { return };
    site.tree.image("local/o/two:1", 2);
    site.tree.image("shared/o/two:1", 3);
    site.create("nextflow");
    assert_eq!(site.target("nextflow/o-two-1.img"), "local/o/two:1");
    assert_eq!(site.target("nextflow/o-good-1.img"), "shared/o/good:1");
    assert!(site.tree.path("shared/.sifcache/views.json").is_file());
    assert!(!site.tree.path("local/.sifcache").exists());
    site.good(&["remove", "--yes", "--into", &site.tree.text("local"), "o/two:1"]);
    assert_eq!(site.target("nextflow/o-two-1.img"), "shared/o/two:1");
}

/// A view keeps its image roots until it is created again.
#[test]
fn a_view_of_one_of_two_roots() {
    let Some(site) = Site::with_roots(&["local", "shared"]) else { return };
    site.tree.image("local/o/two:1", 2);
    site.tree.image("shared/o/two:1", 3);
    let view = site.tree.text("view");
    site.run_on(&site.tree.text("shared"), &["view", &view, "--for", "nextflow"]);
    assert_eq!(site.target("nextflow/o-two-1.img"), "shared/o/two:1");
    site.good(&["view"]);
    assert_eq!(site.target("nextflow/o-two-1.img"), "shared/o/two:1");
    let file = site.tree.image("3.sif", 3);
    let local = site.tree.text("local");
    site.good(&["import", "--into", &local, file.to_str().unwrap(), "o/three:1"]);
    assert_eq!(site.entries().len(), 4, "{:?}", site.entries());
    site.create("nextflow");
    assert_eq!(site.target("nextflow/o-two-1.img"), "local/o/two:1");
    assert_eq!(site.target("nextflow/o-three-1.img"), "local/o/three:1");
}

/// Links into an image root that this host does not have are left alone.
#[test]
fn a_root_that_is_absent_here() {
    let Some(site) = Site::with_roots(&["local", "shared"]) else { return };
    site.tree.image("local/o/two:1", 2);
    site.create("nextflow");
    fs::rename(site.tree.path("local"), site.tree.path("away")).unwrap();
    let output = site.run(&["view"]);
    let message = format!("sifcache: image root {}: does not exist; ", site.tree.text("local"));
    assert_eq!((output.status, output.stderr.lines().count()), (Some(0), 1), "{output:?}");
    assert!(output.stderr.starts_with(&message), "{output:?}");
    assert_eq!(site.target("nextflow/o-two-1.img"), "local/o/two:1");
    site.tree.directory("local");
    site.good(&["view"]);
    assert!(!site.entry("nextflow/o-two-1.img").is_symlink());
}
