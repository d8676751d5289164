//! Names that no reference can have, and names with every character that a reference may contain.

use crate::tree::{Tree, latin, sif};

#[test]
fn names_that_no_reference_has() {
    for (name, message) in [
        ("Foo.sif", "rename it to foo.sif"),
        ("o/foo:1.sif.tmp", "rename it to o/foo:1.sif"),
        ("o/a b:1", "rename it to o/a-b:1"),
        ("o/good:1.bak", "it looks like a duplicate of o/good:1; remove one"),
        ("o/-", "rename it to NAME:TAG, all lower case"),
    ] {
        let Some(tree) = Tree::new() else { return };
        tree.image(format!("root/{name}"), 2);
        let line = tree.problem("no-reference", &format!("root/{name}"));
        let expected = format!(": a SIF file whose name matches no reference: {message}");
        assert!(line.ends_with(&expected), "{line}");
        assert!(tree.found_as(format!("root/{name}")).is_empty());
    }
}

#[test]
fn a_copy_in_progress_under_another_name() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/o/.new:1.sif.Ab12Cd", &sif(2)[..750]);
    let line = tree.problem("no-reference", "root/o/.new:1.sif.Ab12Cd");
    assert!(
        line.contains("750 of 800 bytes") && line.contains("rename it to o/new:1.sif"),
        "{line}"
    );
}

#[test]
fn neither_image_nor_reference_is_a_note() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/README", b"read me, whoever comes here, and let it be as it is");
    tree.note("stray", "root/README");
    assert_eq!(tree.run(&[]).status, Some(0));
}

#[test]
fn a_name_that_is_not_utf8() {
    let Some(tree) = Tree::new() else { return };
    tree.image(latin(b"root/o/caf\xe9:1"), 2);
    let line = tree.problem("no-reference", "root/o/caf\u{fffd}:1");
    assert!(line.ends_with("rename it to o/caf:1"), "{line}");
    let Some(tree) = Tree::new() else { return };
    tree.file(latin(b"root/o/caf\xe9:1"), b"no image");
    tree.note("stray", "root/o/caf\u{fffd}:1");
}

/// Control characters in a file name must not reach the terminal.
#[test]
fn control_characters_in_a_name_are_escaped() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/o/a\u{1b}[2J\nfake: fine", 2);
    let output = tree.run(&["--all"]).stdout;
    assert!(!output.contains('\u{1b}') && output.contains("a\\u{1b}[2J\\nfake: fine"), "{output}");
}

#[test]
fn every_legal_character() {
    let Some(tree) = Tree::new() else { return };
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let names = [
        "abcdefghijklmnopqrstuvwxyz0123456789:ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-0123456789.z".to_owned(),
        "a.b/c_d/e__f/g-h/i---j:_.-".to_owned(),
        "localhost:5000/a:1".to_owned(),
        "Registry.Example.org/a:1".to_owned(),
        "[2001:db8::1]:5000/a/b:1".to_owned(),
        "127.0.0.1/a:1".to_owned(),
        format!("o/i@{digest}"),
        format!("quay.io/o/j@{digest}"),
    ];
    for (which, name) in (2..).zip(&names) {
        tree.image(format!("root/{name}"), which);
        tree.image(format!("root/sif/{name}.sif"), which + 100);
    }
    // In a subdirectory of the root, a path that starts with a registry is wrong.
    for name in &names[2..6] {
        std::fs::remove_file(tree.path(format!("root/sif/{name}.sif"))).unwrap();
    }
    std::fs::remove_file(tree.path(format!("root/sif/{}.sif", names[7]))).unwrap();
    tree.is_fine();
    for name in &names {
        assert_eq!(tree.found_as(format!("root/{name}")), [name.as_str()]);
    }
    for name in [&names[0], &names[1], &names[6]] {
        assert_eq!(tree.found_as(format!("root/sif/{name}.sif")), [format!("sif/{name}")]);
    }
}
