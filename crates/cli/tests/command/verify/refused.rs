//! Files that jobs refuse.

use crate::tree::{Tree, sif};
use sif_fixture::{Object, Sif, file_system, other_architecture, partition};
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn nothing_wrong() {
    let Some(tree) = Tree::new() else { return };
    tree.is_fine();
    assert_eq!(tree.run(&[]).stdout, "1 file, 1 image, 800 B, 0 problems\n");
}

#[test]
fn refused_files_have_the_state_as_their_finding() {
    let foreign = Sif::image().architecture(other_architecture()).bytes();
    let mut version = sif(2);
    version[43] = b'9';
    for (token, content, message) in [
        ("truncated", sif(2)[..799].to_vec(), "cut short or still being copied: 799 of 800 bytes"),
        ("empty", Vec::new(), "an empty file"),
        ("not-a-sif", b"<html>".to_vec(), "not a SIF file"),
        ("wrong-architecture", foreign, "this host is"),
        ("unknown-sif-version", version, "a SIF file of an unsupported version"),
    ] {
        refused(token, &content, message);
    }
}

#[test]
fn files_without_a_usable_root_file_system() {
    let of = |object: Object| Sif::empty().with(object).bytes();
    let file_system = |code: i32| of(Object::root_file_system(code, [0; 87]));
    // Neither of them has an architecture.
    let without = |object: Object| Sif::empty().architecture("none").with(object).bytes();
    let oci = without(Object::oci_index());
    let overlay = without(Object::partition(file_system::EXT3, partition::OVERLAY, [0]));
    // A superblock of squashfs 4.0 that claims more bytes than the partition has.
    let mut cut = [0; 96];
    cut[..4].copy_from_slice(b"hsqs");
    (cut[14], cut[28], cut[40]) = (2, 4, 97);
    let cut = of(Object::root_file_system(file_system::SQUASHFS, cut));
    let mut table = sif(2);
    table[104..106].copy_from_slice(&584_u16.to_le_bytes());
    for (token, content, message) in [
        ("encrypted", file_system(file_system::ENCRYPTED_SQUASHFS), "build it without encryption"),
        ("encrypted", file_system(file_system::GOCRYPTFS_SQUASHFS), "the runtime needs a key"),
        ("oci-sif", oci, "an OCI-SIF file, which runs only with --oci: pull it without --oci"),
        ("oci-sif", of(Object::oci_blob()), "pull it without --oci"),
        ("no-root-file-system", of(Object::generic([0])), "keep data and overlays outside"),
        ("no-root-file-system", overlay, "a SIF file without a root file system"),
        ("unknown-file-system", file_system(file_system::RAW), "a root file system of type 4"),
        ("bad-descriptors", table, "an invalid descriptor table"),
        (
            "damaged-file-system",
            file_system(file_system::SQUASHFS),
            "not squashfs 4.0: pull or copy the image again",
        ),
        ("damaged-file-system", cut, "is cut short: 96 of 97 bytes: pull or copy the image again"),
    ] {
        refused(token, &content, message);
    }
}

/// Asserts that the file is reported with `token` and `message`. The file is still found under a
/// reference only if a launch does not check for this damage.
#[track_caller]
fn refused(token: &str, content: &[u8], message: &str) {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/o/bad:1", content);
    let line = tree.problem(token, "root/o/bad:1");
    assert!(line.starts_with(&tree.text("root/o/bad:1: ")) && line.contains(message), "{line}");
    assert_eq!(tree.found_as("root/o/bad:1").is_empty(), token != "damaged-file-system");
}

#[test]
fn refused_without_a_reference() {
    let Some(tree) = Tree::new() else { return };
    let encrypted = Object::root_file_system(file_system::GOCRYPTFS_SQUASHFS, [0]);
    tree.file("root/Encrypted", &Sif::empty().with(encrypted).bytes());
    let findings = tree.findings(&[]);
    assert_eq!(findings, [("stray".to_owned(), "root/Encrypted".to_owned(), false)]);
}

#[test]
fn entries_that_are_not_regular_files() {
    let Some(tree) = Tree::new() else { return };
    let fifo = tree.path("root/o/fifo:1");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    tree.problem("not-a-file", "root/o/fifo:1");
    let Some(tree) = Tree::new() else { return };
    tree.file("root/box/.singularity.d/runscript", b"#!/bin/sh");
    tree.problem("not-a-file", "root/box");
}

#[test]
fn links_in_and_out_of_the_root() {
    let Some(tree) = Tree::new() else { return };
    tree.image("elsewhere/real.sif", 2);
    tree.link("../../elsewhere/real.sif", "root/o/out:1");
    tree.link("good:1", "root/o/stable");
    symlink(tree.path("elsewhere"), tree.path("root/lent")).unwrap();
    tree.is_fine();
    assert_eq!(tree.found_as("root/o/out:1"), ["o/out:1"]);
    assert_eq!(tree.found_as("root/o/stable"), ["o/stable"]);
    assert_eq!(tree.found_as("root/lent/real.sif"), ["lent/real"]);
    // Four names for two files.
    assert_eq!(tree.run(&[]).stdout, "4 files, 4 images, 1.56 KiB, 0 problems\n");
    tree.link("nowhere", "root/o/dangling:1");
    tree.problem("dangling-link", "root/o/dangling:1");
}

#[test]
fn a_link_in_a_circle_is_a_note() {
    let Some(tree) = Tree::new() else { return };
    tree.link(".", "root/circle");
    tree.note("link-loop", "root/circle");
}

/// Nothing else is said about it: no permission would make it an image root.
#[test]
fn an_image_root_that_is_a_file_is_a_problem() {
    let Some(tree) = Tree::with_roots(&["local", "root"]) else { return };
    std::fs::remove_dir(tree.path("local")).unwrap();
    std::fs::write(tree.path("local"), "").unwrap();
    tree.problem("not-a-directory", "local");
}

#[test]
fn absent_image_roots_are_reported() {
    let Some(tree) = Tree::with_roots(&["local", "root"]) else { return };
    std::fs::remove_dir(tree.path("local")).unwrap();
    tree.note("absent", "local");
    std::fs::remove_dir_all(tree.path("root")).unwrap();
    let absent = |name: &str| ("absent".to_owned(), name.to_owned(), true);
    assert_eq!(tree.findings(&[]), ["local", "root"].map(absent));
}
