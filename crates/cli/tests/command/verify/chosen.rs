//! Paths and references on the command line.

use crate::tree::{Tree, mode};

#[test]
fn by_path_and_by_reference() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/a/bad:1", b"");
    tree.file("root/b/bad.sif", b"");
    let names = |words: &[&str]| -> Vec<String> {
        tree.findings(words).into_iter().map(|(_, name, _)| name).collect()
    };
    assert_eq!(names(&[]), ["root/a/bad:1", "root/b/bad.sif"]);
    assert_eq!(names(&[&tree.text("root/a")]), ["root/a/bad:1"]);
    assert_eq!(names(&[&tree.text("root/b/bad.sif")]), ["root/b/bad.sif"]);
    assert_eq!(names(&["docker://b/bad"]), ["root/b/bad.sif"]);
    assert_eq!(names(&["docker.io/b/bad:latest", "a/bad:1"]).len(), 2);
    assert!(names(&["o/good:1"]).is_empty());
    assert_eq!(tree.object(&["o/good:1"])["files"], 1);
}

#[test]
fn findings_about_a_directory_apply_to_its_files() {
    let Some(tree) = Tree::new() else { return };
    mode(&tree.path("root"), 0o777);
    let findings = tree.findings(&["o/good:1"]);
    assert_eq!(findings, [("untrusted".to_owned(), "root".to_owned(), true)]);
}

#[test]
fn arguments_that_do_not_exist() {
    let Some(tree) = Tree::new() else { return };
    let absent = |name: &str| [("absent".to_owned(), name.to_owned(), true)];
    assert_eq!(tree.findings(&["alpine"]), absent("alpine:latest"));
    assert_eq!(tree.findings(&[&tree.text("root/o/none:1")]), absent("root/o/none:1"));
}

#[test]
fn invalid_arguments() {
    let Some(tree) = Tree::new() else { return };
    for (word, message) in [
        ("/nowhere/else", "/nowhere/else: not an image root; the image roots are "),
        ("./Foo", "Foo: not an image root; "),
        ("Foo", "'Foo' is not a valid image reference: "),
        ("shub://a/b", "images of shub:// have no name in the cache"),
    ] {
        let output = tree.run(&[word]);
        assert_eq!((output.status, output.stdout.as_str()), (Some(64), ""), "{word}");
        assert!(output.stderr.contains(message), "{}", output.stderr);
    }
}

#[test]
fn paths_with_parent_directories() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/a/bad:1", b"");
    let bad = [("empty".to_owned(), "root/a/bad:1".to_owned(), true)];
    for path in ["root/o/../a/bad:1", "root/../root/a", "root/a/.."] {
        assert_eq!(tree.findings(&[&tree.text(path)]), bad, "{path}");
    }
    for path in ["root/..", "root/../elsewhere", "root/none/../../elsewhere"] {
        let output = tree.run(&[&tree.text(path)]);
        assert_eq!((output.status, output.stdout.as_str()), (Some(64), ""), "{path}");
    }
}
