//! `sifcache explain` about pulls and builds.

use super::{explain, root, run};
use serde_json::{Value, json};
use std::fs;

/// The command line of a pull stays as it is: the shim answers it.
#[test]
fn pulls_are_explained() {
    let root = root();
    let pull = ["apptainer", "-q", "pull", "--force", "x.sif", "docker://o/i:1"];
    let page = explain(&root, &[], &pull);
    assert_eq!(page.status, Some(0));
    for line in [
        "pull        apptainer pull\n",
        "image       docker://o/i:1 (argument 5)\n",
        "decision    hit: the shim answers the pull with the image\n",
        "command     apptainer -q pull --force x.sif docker://o/i:1\n",
    ] {
        assert!(page.stdout.contains(line), "{line}{}", page.stdout);
    }
    let object: Value = serde_json::from_str(&explain(&root, &["--json"], &pull).stdout).unwrap();
    assert_eq!((&object["image_index"], &object["argv"]), (&json!(5), &json!(pull)));
    assert_eq!(explain(&root, &[], &["apptainer", "pull", "docker://o/i:2"]).status, Some(1));
}

/// In the command line of a build, the image replaces the source.
#[test]
fn builds_are_explained() {
    let root = root();
    let build = |image| ["apptainer", "build", "--sandbox", "x", image];
    let page = explain(&root, &[], &build("docker://o/i:1"));
    assert_eq!(page.status, Some(0));
    let path = root.path().join("o/i:1").display().to_string();
    for line in [
        "build       apptainer build\n",
        "image       docker://o/i:1 (argument 4)\n",
        "decision    hit: the image replaces the reference\n",
        &format!("command     apptainer build --sandbox x {path}\n"),
    ] {
        assert!(page.stdout.contains(line), "{line}{}", page.stdout);
    }
    let kind_and_argv = |words: &[&str]| {
        let object: Value =
            serde_json::from_str(&explain(&root, &["--json"], words).stdout).unwrap();
        (object["kind"].clone(), object["argv"].clone())
    };
    assert_eq!(kind_and_argv(&build("docker://o/i:1")), (json!("build"), json!(build(&path))));
    let launch = ["apptainer", "run", "docker://o/i:2"];
    assert_eq!(kind_and_argv(&launch), (json!("launch"), json!(launch)));
    let pull = ["apptainer", "pull", "docker://o/i:1"];
    assert_eq!(kind_and_argv(&pull), (json!("pull"), json!(pull)));
    assert_eq!(kind_and_argv(&["hostname"]), (json!(null), json!(["hostname"])));
    assert_eq!(explain(&root, &[], &build("docker://o/i:2")).status, Some(1));
    let altered = explain(&root, &[], &["apptainer", "build", "--fakeroot", "x", "docker://o/i:1"]);
    assert_eq!(altered.status, Some(2));
    let why = "decision    pass: the option in argument 2 changes the result\n";
    assert!(altered.stdout.contains(why), "{}", altered.stdout);
}

/// The shim leaves these to the runtime, although there is an image.
#[test]
fn pulls_that_the_runtime_handles_are_no_hits() {
    let root = root();
    let existing = root.path().join("o/i:1").display().to_string();
    let existing = format!("pull {existing} docker://o/i:1");
    for (arguments, reason) in [
        ("-v pull docker://o/i:1", "the runtime prints details of the pull (-v or -d)"),
        (existing.as_str(), "the file exists already, and --force is missing"),
        ("pull --arch arm64 docker://o/i:1", "the option in argument 2 changes the result"),
    ] {
        let words: Vec<&str> = "apptainer".split(' ').chain(arguments.split(' ')).collect();
        let page = explain(&root, &[], &words);
        let line = format!("decision    pass: {reason}\n");
        assert!(page.status == Some(2) && page.stdout.contains(&line), "{}", page.stdout);
    }
}

#[test]
fn links_of_pulls_are_explained() {
    let root = root();
    let path = root.path().to_str().unwrap();
    let plugstack = root.path().join("plugstack.conf");
    let line = format!("required spank_sifcache.so image_root={path} untrusted=accept pull=link\n");
    fs::write(&plugstack, line).unwrap();
    let page = || {
        let site = ["explain", "--plugstack", plugstack.to_str().unwrap()];
        let pull = ["apptainer", "pull", "docker://o/i:1"];
        run(&[&site[..], &pull].concat(), &[], "").stdout
    };
    let copied = "note        pull=link: the file is a copy: the image has no name by digest\n";
    assert!(page().contains(copied), "{}", page());
    let pinned = root.path().join(format!("o/i@sha256:{}", "0f".repeat(32)));
    fs::hard_link(root.path().join("o/i:1"), &pinned).unwrap();
    let linked = format!("note        pull=link: the file links to {}\n", pinned.display());
    assert!(page().contains(&linked), "{}", page());
}
