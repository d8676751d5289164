//! Several files for one reference.

use crate::tree::Tree;
use std::fs;

#[test]
fn two_files_and_the_references_of_each() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/ubuntu", 2);
    tree.image("root/ubuntu:latest", 3);
    let line = tree.problem("two-files", "root/ubuntu");
    let expected = format!(
        "{}: one of two files for one image: jobs get {} for docker://ubuntu:latest, and this for \
         docker://ubuntu: remove one of them, and rename the other one to ubuntu:latest",
        tree.text("root/ubuntu"),
        tree.text("root/ubuntu:latest"),
    );
    assert_eq!(line, expected);
    assert_eq!(tree.found_as("root/ubuntu"), ["ubuntu"]);
    assert!(tree.found_as("root/ubuntu:latest").contains(&"ubuntu:latest".to_owned()));
    // The report agrees with the file that a job would use.
    for (typed, name) in [("ubuntu", "ubuntu"), ("docker.io/ubuntu", "ubuntu:latest")] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sifcache"));
        let image = format!("docker://{typed}");
        command.args(["explain", "--root", &tree.text("root"), "--"]);
        let message = command.args(["apptainer", "run", &image]).output().unwrap().stdout;
        let message = String::from_utf8(message).unwrap();
        assert!(
            message.contains(&format!("apptainer run {}\n", tree.text(&format!("root/{name}"))))
        );
    }
}

/// A file with the same content is still a second file: replacing one does not replace the other.
#[test]
fn a_copy_under_another_name() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/docker.io/o/good:1", 1);
    tree.problem("two-files", "root/docker.io/o/good:1");
}

#[test]
fn links_are_one_file() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/ubuntu", 2);
    tree.link("ubuntu", "root/ubuntu:latest");
    tree.directory("root/docker.io/library");
    fs::hard_link(tree.path("root/ubuntu"), tree.path("root/docker.io/library/ubuntu:latest"))
        .unwrap();
    tree.is_fine();
    for name in ["ubuntu", "ubuntu:latest", "docker.io/library/ubuntu:latest"] {
        assert_eq!(tree.found_as(format!("root/{name}")), ["ubuntu:latest"]);
    }
}

#[test]
fn never_found() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/o/good:1.sif", 2);
    let line = tree.problem("shadowed", "root/o/good:1.sif");
    let good = tree.text("root/o/good:1");
    assert!(
        line.contains(&format!(": never found: jobs get {good} for docker://o/good:1: ")),
        "{line}"
    );
    assert!(tree.found_as("root/o/good:1.sif").is_empty());
    // A refused file hides no other file.
    tree.file("root/o/good:1", b"");
    tree.problem("empty", "root/o/good:1");
    assert_eq!(tree.found_as("root/o/good:1.sif"), ["o/good:1"]);
}

#[test]
fn an_earlier_root_with_another_image() {
    let Some(tree) = Tree::with_roots(&["local", "root"]) else { return };
    tree.image("local/o/good:1", 2);
    tree.problem("shadowed", "root/o/good:1");
    // The same applies to a different name for the same reference.
    fs::remove_file(tree.path("local/o/good:1")).unwrap();
    tree.image("local/docker.io/o/good:1.sif", 2);
    tree.problem("shadowed", "root/o/good:1");
    tree.image("local/docker.io/o/good:1.sif", 1);
    tree.is_fine();
}

/// The first root has one name for the reference, the second root another one.
#[test]
fn two_files_in_two_roots() {
    let Some(tree) = Tree::with_roots(&["local", "root"]) else { return };
    tree.image("local/ubuntu", 2);
    tree.image("root/ubuntu:latest", 3);
    tree.problem("two-files", "local/ubuntu");
}

#[test]
fn files_with_the_same_digest_are_not_compared() {
    let Some(tree) = Tree::with_roots(&["local", "root"]) else { return };
    let name = format!("o/i@sha256:{}", "0f".repeat(32));
    tree.image(format!("local/{name}"), 2);
    tree.image(format!("root/{name}"), 3);
    tree.is_fine();
}
