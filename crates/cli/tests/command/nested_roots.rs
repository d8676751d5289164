//! Image roots inside other image roots, also through symbolic links: a file belongs to the innermost
//! root only.

use crate::tree::Tree;
use serde_json::Value;
use std::process::{Command, Stdio};

/// `outer/nest` is a root too, `outer/lent` leads to a root elsewhere, `outer/deep/bank` to a
/// directory of it, and `outer/depot` belongs to Galaxy.
const ROOTS: [&str; 4] = ["outer", "outer/nest", "far", "galaxy=outer/depot"];

/// Each root has one image; those of `outer` and the roots in it have names in both.
fn tree() -> Option<Tree> {
    let tree = Tree::with_roots(&["outer"])?;
    tree.image("outer/nest/o/inner:1", 2);
    tree.image("far/o/far:1", 3);
    tree.image("outer/depot/samtools:1.17", 4);
    tree.directory("outer/deep");
    tree.link(tree.path("far"), "outer/lent");
    tree.link("../../far/o", "outer/deep/bank");
    Some(tree)
}

/// The images in the roots, below the top directory.
const IMAGES: [&str; 4] =
    ["outer/o/good:1", "outer/nest/o/inner:1", "far/o/far:1", "outer/depot/samtools:1.17"];

fn roots(tree: &Tree) -> String {
    let root = |root: &str| match root.split_once('=') {
        Some((layout, path)) => format!("{layout}={}", tree.text(path)),
        None => tree.text(root),
    };
    ROOTS.map(root).join(":")
}

/// Runs a subcommand with all roots. Returns its status, standard output and standard error.
fn run(tree: &Tree, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.arg(words[0]).args(["--root", &roots(tree)]).args(&words[1..]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The names in a list of objects of the JSON output.
fn listed(stdout: &str, list: &str, key: &str) -> Vec<String> {
    let object: Value = serde_json::from_str(stdout).unwrap();
    let all = object[list].as_array().unwrap().iter();
    all.map(|one| one[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_image_is_listed_in_one_root() {
    let Some(tree) = tree() else { return };
    let (status, stdout, stderr) = run(&tree, &["list", "--json"]);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    let mut paths = listed(&stdout, "images", "path");
    let mut expected: Vec<String> = IMAGES[..3].iter().map(|name| tree.text(name)).collect();
    paths.sort();
    expected.sort();
    assert_eq!(paths, expected);
}

#[test]
fn gc_of_the_outer_root_leaves_the_images_of_the_others() {
    let Some(tree) = tree() else { return };
    let outer = tree.text("outer");
    let words = ["gc", "--into", &outer, "--older-than", "0d", "--keep", "0d", "--yes"];
    let (status, _, stderr) = run(&tree, &words);
    assert_eq!(status, Some(0), "{stderr}");
    let left = IMAGES.map(|name| tree.path(name).exists());
    assert_eq!(left, [false, true, true, true], "{IMAGES:?}");
}

#[test]
fn an_image_of_another_root_is_neither_removed_nor_replaced() {
    let Some(tree) = tree() else { return };
    let outer = tree.text("outer");
    let file = tree.image("new.sif", 5);
    for name in ["nest/o/inner:1", "lent/o/far:1", "deep/bank/far:1"] {
        let path = tree.text(&format!("outer/{name}"));
        for word in [name, &path] {
            let remove = ["remove", "--into", &outer, "--yes", "--keep", "0d", word];
            let refresh = ["refresh", "--into", &outer, "--check", word];
            for words in [&remove[..], &refresh] {
                let (status, _, stderr) = run(&tree, words);
                assert_eq!(status, Some(1), "{words:?}: {stderr}");
                assert!(stderr.contains(&format!("{word} is not in {outer}")), "{stderr}");
            }
        }
        let import = ["import", "--into", &outer, "--force", file.to_str().unwrap(), name];
        let (status, _, stderr) = run(&tree, &import);
        assert_eq!(status, Some(64), "{name}: {stderr}");
        let message = "belongs to the image root";
        assert!(stderr.contains(message), "{stderr}");
    }
    assert!(IMAGES.iter().all(|name| tree.path(name).exists()));
    let inner = std::fs::read(tree.path("outer/nest/o/inner:1")).unwrap();
    assert_eq!(inner, crate::tree::sif(2));
    // With the root that it is in, each command works.
    let nest = tree.text("outer/nest");
    let (status, _, stderr) = run(&tree, &["remove", "--into", &nest, "--yes", "o/inner:1"]);
    assert_eq!((status, tree.path(IMAGES[1]).exists()), (Some(0), false), "{stderr}");
}

#[test]
fn verify_checks_each_file_once_and_names_the_other_root() {
    let Some(tree) = tree() else { return };
    let (status, stdout, stderr) = run(&tree, &["verify", "--json", "--all"]);
    assert_eq!(status, Some(0), "{stdout}{stderr}");
    let found = listed(&stdout, "findings", "finding");
    assert_eq!(found, ["other-root"; 4]);
    let mut places = listed(&stdout, "findings", "path");
    places.sort();
    let expected = ["outer/deep/bank", "outer/depot", "outer/lent", "outer/nest"];
    assert_eq!(places, expected.map(|name| tree.text(name)));
    let mut files = listed(&stdout, "all", "path");
    files.sort();
    let mut expected: Vec<String> = IMAGES[..3].iter().map(|name| tree.text(name)).collect();
    expected.sort();
    assert_eq!(files, expected);
}

/// The same directory under two paths is one root: nothing is skipped.
#[test]
fn a_root_that_is_given_twice_has_all_its_images() {
    let Some(tree) = Tree::with_roots(&["outer"]) else { return };
    tree.link("outer", "again");
    tree.directory("outer/p");
    tree.link("../o", "outer/p/alias");
    let roots = format!("{}:{}", tree.text("outer"), tree.text("again"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    let output = command.args(["list", "--json", "--root", &roots]).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let object: Value = serde_json::from_str(&stdout).unwrap();
    let names: Vec<usize> = object["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["names"].as_array().map_or(0, Vec::len))
        .collect();
    assert_eq!(names, [2, 2], "{stdout}");
}
