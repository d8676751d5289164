//! Files with the names that pulls and workflow engines give them.

use crate::tree::{Tree, pulled};
use std::fs;

const NEXTFLOW: &str = "quay.io-biocontainers-samtools-1.19.2--h50ea8bc_0.img";
const SAMTOOLS: &str = "quay.io/biocontainers/samtools:1.19.2--h50ea8bc_0";

#[test]
fn each_finding_has_the_expected_name() {
    for (name, from) in [
        ("alpine_3.20.sif", "alpine:3.20"),
        (NEXTFLOW, SAMTOOLS),
        ("0123456789abcdef0123456789abcdef.simg", SAMTOOLS),
        ("environments_cpu.sif", "determinedai/environments:cpu"),
        ("127.0.0.1-5000-o-i-1.img", "127.0.0.1:5000/o/i:1"),
    ] {
        let Some(tree) = Tree::new() else { return };
        tree.file(format!("root/{name}"), &pulled(from, &[]));
        let line = tree.problem("misnamed", &format!("root/{name}"));
        let message = format!(
            ": made from docker://{from}, but no launch of that URI finds it under this name: \
             rename it to {from}"
        );
        assert!(line.ends_with(&message), "{line}");
    }
}

#[test]
fn names_that_the_site_chose_are_accepted() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/alpine.sif", &pulled("alpine", &[]));
    tree.file("root/o/tool", &pulled("o/tool:latest", &[]));
    tree.file("root/o/stable:1", &pulled("alpine:3.20", &[]));
    tree.file("root/lab_tools", &pulled("alpine:3.20", &[]));
    tree.is_fine();
    tree.file("root/samtools:1.19.2--h50ea8bc_0", &pulled(SAMTOOLS, &[]));
    let line = tree.note("misnamed", "root/samtools:1.19.2--h50ea8bc_0");
    assert!(line.ends_with(&format!("if you did not choose this name, rename it to {SAMTOOLS}")));
}

#[test]
fn a_file_without_a_recorded_source() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/alpine_3.20.sif", 2);
    let line = tree.note("misnamed", "root/alpine_3.20.sif");
    assert!(line.ends_with("rename it to alpine:3.20"), "{line}");
    let Some(tree) = Tree::new() else { return };
    tree.image(format!("root/{NEXTFLOW}"), 2);
    tree.problem("misnamed", &format!("root/{NEXTFLOW}"));
}

/// The runtime copies an image from its own cache if two references have the same digest. The file
/// then names the reference that was pulled first (seen with Apptainer 1.5.3).
#[test]
fn a_file_named_as_another_tag_of_its_source() {
    for (name, from, other) in [
        ("alpine_3.20.sif", "alpine:latest", "alpine:3.20"),
        ("i_1.sif", "127.0.0.1:5000/o/i:2", "127.0.0.1:5000/o/i:1"),
        ("i_latest.sif", "o/i:2", "o/i:latest"),
    ] {
        let Some(tree) = Tree::new() else { return };
        tree.file(format!("root/{name}"), &pulled(from, &[]));
        let line = tree.note("misnamed", &format!("root/{name}"));
        let message = format!(
            ": note: named as a pull of docker://{other}, but made from docker://{from}, which had \
             the same digest: if it was pulled from docker://{other}, rename it to {other}"
        );
        assert!(line.ends_with(&message), "{line}");
    }
}

#[test]
fn a_second_file_for_the_same_reference() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/alpine_3.20.sif", &pulled("alpine:3.20", &[]));
    tree.file("root/alpine:3.20", &pulled("alpine:3.20", &[("a", "b")]));
    let line = tree.note("misnamed", "root/alpine_3.20.sif");
    assert!(line.ends_with("it looks like a duplicate of alpine:3.20; remove one"), "{line}");
    fs::remove_file(tree.path("root/alpine_3.20.sif")).unwrap();
    fs::hard_link(tree.path("root/alpine:3.20"), tree.path("root/alpine_3.20.sif")).unwrap();
    tree.is_fine();
}

#[test]
fn fix_renames_and_never_replaces_a_file() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/alpine_3.20.sif", &pulled("alpine:3.20", &[]));
    tree.file(format!("root/{NEXTFLOW}"), &pulled(SAMTOOLS, &[]));
    tree.file("root/alpine-3.20.img", &pulled("alpine:3.20", &[]));
    tree.image("root/registry.example.org:5000/lab/Tool:v1", 2);
    let before = tree.findings(&[]);
    assert_eq!(before.len(), 4);
    tree.object(&["--fix"]);
    assert_eq!(tree.findings(&[]), before);
    assert_eq!(tree.run(&["--rename"]).status, Some(64));
    let object = tree.object(&["--fix", "--rename"]);
    assert_eq!(object["fixed"].as_array().unwrap().len(), 3, "{object:#}");
    for name in ["alpine:3.20", SAMTOOLS, "registry.example.org:5000/lab/tool:v1"] {
        assert_eq!(tree.found_as(format!("root/{name}")), [name]);
    }
    // Two files for one name: the admin has to choose.
    let left = tree.findings(&[]);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((left[0].0.as_str(), left[0].2), ("misnamed", false));
}
