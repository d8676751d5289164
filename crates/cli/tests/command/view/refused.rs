//! Directories and images that are refused.

use super::site::Site;
use crate::tree::mode;
use std::fs;
use std::os::unix::fs::chown;

#[test]
fn a_view_that_users_can_write() {
    let Some(site) = Site::with_view("nextflow") else { return };
    site.tree.image("root/o/two:1", 2);
    let before = site.entries();
    let view = site.tree.path("view");
    for change in [|path: &_| mode(path, 0o1777), |path: &_| chown(path, Some(1001), None).unwrap()]
    {
        mode(&view, 0o755);
        change(&view);
        let output = site.run(&["view"]);
        assert_eq!(output.status, Some(78), "{output:?}");
        assert!(output.stderr.contains("nothing is changed there"), "{output:?}");
        assert_eq!(site.entries(), before);
    }
}

/// A user could otherwise replace the directory of an engine with a link to another directory.
#[test]
fn a_directory_of_an_engine_that_users_can_write() {
    let Some(site) = Site::with_view("nextflow") else { return };
    site.tree.image("root/o/two:1", 2);
    mode(&site.entry("nextflow"), 0o777);
    let output = site.run(&["view"]);
    assert_eq!(output.status, Some(78), "{output:?}");
    assert_eq!(site.entries().len(), 2);
    fs::remove_dir_all(site.entry("nextflow")).unwrap();
    site.tree.directory("elsewhere");
    site.tree.link(site.tree.path("elsewhere"), "view/nextflow");
    let output = site.run(&["view"]);
    assert_eq!(output.status, Some(74), "{output:?}");
    assert!(fs::read_dir(site.tree.path("elsewhere")).unwrap().next().is_none());
}

#[test]
fn a_view_in_an_image_root_and_the_other_way_round() {
    let Some(site) = Site::new() else { return };
    site.tree.link("root", "same");
    for name in ["root/view", "root", "", "same/view"] {
        let output = site.run(&["view", &site.tree.text(name), "--for", "nextflow"]);
        assert_eq!(output.status, Some(64), "{name}: {output:?}");
        assert!(output.stderr.contains("must not contain each other"), "{output:?}");
    }
    assert!(!site.tree.path("root/.sifcache/views.json").exists());
}

/// A view would write into the tree of another tool, or be registered outside of any image root.
#[test]
fn a_view_and_the_roots_of_other_tools() {
    let Some(site) = Site::new() else { return };
    for tree in ["nxf", "nxf/library"] {
        site.tree.directory(tree);
    }
    let roots = format!("{}:nextflow={}", site.tree.text("root"), site.tree.text("nxf/library"));
    for name in ["nxf/library", "nxf/library/view", "nxf"] {
        let words = ["view", &site.tree.text(name), "--for", "nextflow"];
        let output = site.run_on(&roots, &words);
        assert_eq!(output.status, Some(64), "{name}: {output:?}");
        assert!(output.stderr.contains("must not contain each other"), "{output:?}");
    }
    assert!(!site.tree.path("root/.sifcache/views.json").exists());
    let only = format!("nextflow={}", site.tree.text("nxf"));
    let words = ["view", &site.tree.text("view"), "--for", "nextflow", "--dry-run"];
    let output = site.run_on(&only, &words);
    assert_eq!(output.status, Some(64), "{output:?}");
    assert!(output.stderr.contains("other tools fill all image roots"), "{output:?}");
}

/// A job would not use these files, so no engine must find them.
#[test]
fn images_that_jobs_would_not_use() {
    let Some(site) = Site::with_view("nextflow") else { return };
    let foreign = site.tree.image("root/o/theirs:1", 2);
    chown(&foreign, Some(1001), None).unwrap();
    site.tree.file("root/o/text:1", b"text");
    site.tree.image("root/o/copy:1.tmp", 3);
    site.good(&["view"]);
    assert_eq!(site.entries().len(), 2, "{:?}", site.entries());
    chown(&foreign, Some(0), None).unwrap();
    site.good(&["view"]);
    assert_eq!(site.target("nextflow/o-theirs-1.img"), "root/o/theirs:1");
}

#[test]
fn wrong_command_lines() {
    let Some(site) = Site::new() else { return };
    let view = site.tree.text("view");
    let lines: [&[&str]; 4] = [
        &["view", &view],
        &["view", "--for", "nextflow"],
        &["view", &view, "--for", "docker"],
        &["view", "--remove"],
    ];
    for words in lines {
        let output = site.run(words);
        assert_eq!(output.status, Some(64), "{words:?} {output:?}");
    }
    let output = site.run(&["view", &view]);
    let message = ": not a view; --for ENGINE creates one, and `sifcache view` lists them\n";
    assert!(output.stderr.ends_with(message), "{output:?}");
}

/// With `untrusted=accept`, a user may own an image root. The user must not be able to choose where
/// root creates links.
#[test]
fn a_record_that_a_user_could_have_written() {
    let Some(site) = Site::with_roots(&["theirs", "shared"]) else { return };
    let record = serde_json::json!({"views": [{
        "directory": site.tree.text("chosen"), "engines": ["nextflow"],
        "roots": [site.tree.text("shared")],
    }]});
    site.tree.file("theirs/.sifcache/views.json", record.to_string().as_bytes());
    chown(site.tree.path("theirs/.sifcache"), Some(1001), None).unwrap();
    let file = site.tree.image("two.sif", 2);
    let output = site.run(&["import", file.to_str().unwrap(), "o/two:1"]);
    assert_eq!(output.status, Some(1), "{output:?}");
    let message = "the views are not updated: nothing is changed there: ";
    assert!(output.stderr.contains(message), "{output:?}");
    assert!(!site.tree.path("chosen").exists());
    chown(site.tree.path("theirs/.sifcache"), Some(0), None).unwrap();
    site.import(3, "o/three:1");
    assert!(site.tree.path("chosen/nextflow/o-three-1.img").is_symlink());
}

#[test]
fn a_damaged_record() {
    let Some(site) = Site::with_view("nextflow") else { return };
    site.tree.file("root/.sifcache/views.json", b"{");
    let output = site.run(&["view"]);
    assert_eq!(output.status, Some(65), "{output:?}");
    let file = site.tree.image("two.sif", 2);
    let output = site.run(&["import", file.to_str().unwrap(), "o/two:1"]);
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(output.stderr.contains("the views are not updated: "), "{output:?}");
    // Following the advice is sufficient.
    fs::remove_file(site.tree.path("root/.sifcache/views.json")).unwrap();
    site.create("nextflow");
    assert_eq!(site.target("nextflow/o-two-1.img"), "root/o/two:1");
}
