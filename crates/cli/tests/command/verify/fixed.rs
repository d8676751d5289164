//! `--fix`: what it fixes, and what it leaves unchanged.

use crate::tree::{Tree, mode, mode_of, sif};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};

#[test]
fn modes_of_files_that_root_owns() {
    let Some(tree) = Tree::new() else { return };
    let (root, directory, file) = ("root", "root/o", "root/o/good:1");
    // The first fault hides the second, and both hide the third.
    mode(&tree.path(root), 0o2777);
    mode(&tree.path(directory), 0o700);
    mode(&tree.path(file), 0o620);
    let output = tree.run(&["--fix"]);
    assert_eq!(output.status, Some(0), "{}", output.stdout);
    for line in [
        format!("{}: fixed: mode changed from 2777 to 2755\n", tree.text(root)),
        format!("{}: fixed: mode changed from 0700 to 0755\n", tree.text(directory)),
        format!("{}: fixed: mode changed from 0620 to 0600\n", tree.text(file)),
        format!("{}: fixed: mode changed from 0600 to 0644\n", tree.text(file)),
    ] {
        assert!(output.stdout.contains(&line), "{line}{}", output.stdout);
    }
    let modes = [root, directory, file].map(|name| mode_of(&tree.path(name)));
    assert_eq!(modes, [0o2755, 0o755, 0o644]);
    assert_eq!(tree.object(&["--fix"])["fixed"], Value::Array(Vec::new()));
}

#[test]
fn a_digest_link_that_leads_nowhere() {
    let Some(tree) = Tree::new() else { return };
    let digest = format!("root/o/i@sha256:{}", "0f".repeat(32));
    tree.link("i:1", &digest);
    tree.link("i:1", "root/o/i:2");
    assert_eq!(tree.findings(&[]).len(), 2);
    let object = tree.object(&["--fix"]);
    assert_eq!((&object["problems"], object["fixed"].as_array().unwrap().len()), (&1.into(), 1));
    assert!(!tree.path(&digest).is_symlink() && tree.path("root/o/i:2").is_symlink());
}

/// As `report` proposes for such a link.
#[test]
fn a_chosen_path_that_a_fix_removes() {
    let Some(tree) = Tree::new() else { return };
    let digest = format!("root/o/i@sha256:{}", "0f".repeat(32));
    tree.link("i:1", &digest);
    let object = tree.object(&["--fix", &tree.text(&digest)]);
    assert_eq!(object["fixed"].as_array().unwrap().len(), 1, "{object:#}");
    assert_eq!((&object["problems"], &object["findings"]), (&0.into(), &Value::Array(Vec::new())));
}

/// None of these files is removed, renamed, made readable for everybody, or given a different
/// owner.
#[test]
fn files_of_other_origin_stay_unchanged() {
    let Some(tree) = Tree::new() else { return };
    let foreign = tree.image("root/o/theirs:1", 2);
    chown(&foreign, Some(1001), Some(1001)).unwrap();
    mode(&foreign, 0o666);
    let licensed = tree.image("root/o/licensed:1", 3);
    chown(&licensed, None, Some(1005)).unwrap();
    mode(&licensed, 0o640);
    let secret = tree.file("root/o/secret:1", b"a password");
    mode(&secret, 0o600);
    let outside = tree.image("outside/i.sif", 4);
    mode(&outside, 0o600);
    tree.link("../../outside/i.sif", "root/o/outside:1");
    let names = ["Upper:1", "o/cut:1", "o/html:1", "o/copy:1.tmp", "ubuntu", "ubuntu:latest"];
    for (which, name) in (5..).zip(names) {
        let length = if name == "o/cut:1" { 750 } else { 800 };
        tree.file(format!("root/{name}"), &sif(which)[..length]);
    }
    let before = tree.findings(&[]);
    let object = tree.object(&["--fix"]);
    assert_eq!(object["fixed"], Value::Array(Vec::new()), "{object:#}");
    assert_eq!(tree.findings(&[]), before);
    let metadata = fs::metadata(&foreign).unwrap();
    assert_eq!((metadata.uid(), metadata.mode() & 0o777), (1001, 0o666));
    let modes = [&licensed, &secret, &outside].map(|path| mode_of(path));
    assert_eq!(modes, [0o640, 0o600, 0o600]);
    assert!(names.iter().all(|name| tree.path(format!("root/{name}")).exists()));
}

/// A user could try to make root open one of root's private directories, through a link in an image
/// root. `--fix` does not follow such a link.
#[test]
fn nothing_outside_of_the_root() {
    let Some(tree) = Tree::new() else { return };
    let private = tree.directory("private");
    tree.image("private/i:1", 2);
    mode(&private, 0o700);
    tree.link("../private", "root/lent");
    let object = tree.object(&["--fix"]);
    assert_eq!((&object["problems"], mode_of(&private)), (&1.into(), 0o700));
    let path = tree.path("root/o/good:1");
    mode(&path, 0o600);
    tree.object(&["--fix"]);
    assert_eq!(mode_of(&path), 0o644);
}

#[test]
fn only_the_given_paths_are_fixed() {
    let Some(tree) = Tree::new() else { return };
    let (one, other) = (tree.path("root/o/good:1"), tree.image("root/o/good:2", 2));
    mode(&one, 0o600);
    mode(&other, 0o600);
    tree.object(&["--fix", "o/good:2"]);
    assert_eq!((mode_of(&one), mode_of(&other)), (0o600, 0o644));
}
