//! Files and links that the command has not created.

use super::site::Site;
use std::fs;

#[test]
fn entries_of_other_programs_are_never_changed() {
    let Some(site) = Site::with_view("nextflow,shpc") else { return };
    site.tree.file("view/nextflow/mine.img", b"mine");
    site.tree.file("view/shpc/o/i/1/mine.sif", b"mine");
    // This link leads into the image root, but no engine computes its name.
    site.tree.link(site.tree.path("root/o/good:1"), "view/nextflow/alias.img");
    site.tree.link("/none", "view/nextflow/dangling.img");
    site.tree.directory("view/nextflow/directory");
    let entries = site.entries();
    site.good(&["remove", "--yes", "o/good:1"]);
    let mut left = entries.clone();
    left.retain(|name| !name.contains("good"));
    assert_eq!((site.entries(), left.len()), (left, 4));
    site.good(&["view", "--remove", &site.tree.text("view")]);
    assert_eq!(site.entries().len(), 4);
    assert!(site.entry("nextflow/directory").is_dir());
}

#[test]
fn a_name_that_is_taken_is_reported() {
    let Some(site) = Site::new() else { return };
    let mine = site.tree.file("view/nextflow/o-good-1.img", b"mine");
    site.tree.link(site.tree.path("root/o/two:1"), "view/nextflow/docker.io-o-good-1.img");
    site.tree.image("root/o/two:1", 2);
    let view = site.tree.text("view");
    let output = site.run(&["view", &view, "--for", "nextflow"]);
    assert_eq!(output.status, Some(1), "{output:?}");
    let message = format!(
        "sifcache: {}: no link for o/good:1, because something else has this name: remove or \
         rename it\n",
        mine.display()
    );
    assert!(output.stderr.contains(&message), "{}", output.stderr);
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    assert_eq!(site.target("nextflow/docker.io-o-good-1.img"), "root/o/two:1");
    assert_eq!(site.target("nextflow/o-two-1.img"), "root/o/two:1");
    // Following the advice is sufficient.
    fs::remove_file(&mine).unwrap();
    fs::remove_file(site.entry("nextflow/docker.io-o-good-1.img")).unwrap();
    site.good(&["view"]);
    assert_eq!(site.target("nextflow/o-good-1.img"), "root/o/good:1");
}
