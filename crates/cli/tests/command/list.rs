//! `sifcache list WORD…`, as a user of a login node calls it.

use crate::tree::{Tree, mode};
use serde_json::Value;
use sif_fixture::{Object, Sif};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

/// Any user but root.
const USER: u32 = 65534;

/// Runs `sifcache list --root ROOT WORDS` as a user without privileges. `apptainer` is in `PATH`.
fn list(tree: &Tree, root: &str, words: &[&str]) -> Output {
    mode(&tree.file("bin/apptainer", b"#!/bin/sh\n"), 0o755);
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups", "--"]);
    command.arg(program(tree)).args(["list", "--root", root]).args(words);
    command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", tree.text("bin")));
    command.current_dir(tree.path("")).output().unwrap()
}

/// The build directory is closed to other users on some machines.
fn program(tree: &Tree) -> std::path::PathBuf {
    let copy = tree.path("bin/sifcache");
    if !copy.exists() {
        // A program that this process writes could be open in a child of another test, and then
        // cannot be executed.
        let mut install = Command::new("install");
        install.args(["-m", "755", env!("CARGO_BIN_EXE_sifcache")]).arg(&copy);
        assert!(install.status().unwrap().success());
    }
    copy
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A root with several images, whose hidden directory no user may write to.
fn tree() -> Option<Tree> {
    let tree = Tree::new()?;
    let pinned = format!("root/o/good@sha256:{}", "0f".repeat(32));
    for (number, name) in
        ["root/pytorch/pytorch:2.4-CUDA12", "root/pytorch/pytorch:2.3-rocm", "root/ubuntu"]
            .iter()
            .enumerate()
    {
        tree.image(name, u8::try_from(number + 2).unwrap());
    }
    fs::hard_link(tree.path("root/o/good:1"), tree.path(pinned)).unwrap();
    tree.link("pytorch:2.3-rocm", "root/pytorch/pytorch:stable");
    fs::create_dir(tree.path("root/.sifcache")).unwrap();
    mode(&tree.path("root/.sifcache"), 0o700);
    Some(tree)
}

/// The references that `--refs` prints, and the exit status.
fn refs(tree: &Tree, words: &[&str]) -> (String, Option<i32>) {
    let output = list(tree, &tree.text("root"), &[&["--refs"], words].concat());
    (text(&output.stdout).replace('\n', " ").trim_end().to_owned(), output.status.code())
}

#[test]
fn all_words_have_to_match() {
    let Some(tree) = tree() else { return };
    for (words, expected, status) in [
        (&["pytorch"][..], "pytorch/pytorch:2.3-rocm pytorch/pytorch:2.4-CUDA12", 0),
        (&["PYTORCH", "cuda12"], "pytorch/pytorch:2.4-CUDA12", 0),
        // The image is shown under the name that has the word.
        (&["stable"], "pytorch/pytorch:stable", 0),
        (&["docker://ubuntu:latest"], "ubuntu:latest", 0),
        (&["docker.io/library/ubuntu"], "ubuntu:latest", 0),
        (&["o/good:1"], "o/good:1", 0),
        (&["sha256:0f0f"], "o/good@sha256:DIGEST", 0),
        (&["0f0f"], "", 1),
        (&["cuda12", "rocm"], "", 1),
        // Two names of one image, neither of which has both words.
        (&["stable", "rocm"], "", 1),
        (&[], "o/good:1 pytorch/pytorch:2.3-rocm pytorch/pytorch:2.4-CUDA12 ubuntu:latest", 0),
    ] {
        let expected = expected.replace("DIGEST", &"0f".repeat(32));
        assert_eq!(refs(&tree, words), (expected, Some(status)), "{words:?}");
    }
}

#[test]
fn the_command_line_is_printed_last() {
    let Some(tree) = tree() else { return };
    let root = tree.text("root");
    let page = |words: &[&str]| text(&list(&tree, &root, words).stdout);
    let one = page(&["cuda12"]);
    let command = "to start it:\n    srun apptainer run docker://pytorch/pytorch:2.4-CUDA12\n";
    assert!(one.ends_with(command), "{one}");
    let several = page(&["pytorch"]);
    let first =
        "to start the first of them:\n    srun apptainer run docker://pytorch/pytorch:2.3-rocm\n";
    assert!(several.ends_with(first), "{several}");
    let linked = page(&["stable"]);
    let command = "to start it:\n    srun apptainer run docker://pytorch/pytorch:stable\n";
    assert!(linked.ends_with(command), "{linked}");
    // A table for scripts remains as it was.
    assert!(page(&[]).ends_with("4 images, 3.12 KiB\n"), "{}", page(&[]));
    let all = page(&["--commands", "good"]);
    assert_eq!(all, "srun apptainer run docker://o/good:1\n");

    let object: Value = serde_json::from_str(&page(&["--json", "stable"])).unwrap();
    let image = &object["images"][0];
    assert_eq!(image["reference"], "pytorch/pytorch:stable");
    assert_eq!(image["command"], "srun apptainer run docker://pytorch/pytorch:stable");
    assert_eq!(object["total"]["images"], 1);

    // The user's jobs would not use this image.
    mode(&tree.path("root/ubuntu"), 0o646);
    let untrusted = page(&["ubuntu"]);
    let note = "; jobs on this host would not use the file, see `sifcache explain`:";
    assert!(untrusted.contains(note), "{untrusted}");
    // An earlier root has another image of this name.
    tree.image("first/o/good:1", 9);
    let shadowed = format!("{}:{root}", tree.text("first"));
    let mut touch = Command::new("touch");
    assert!(
        touch.arg("--date=2020-01-01").arg(tree.path("root/o/good:1")).status().unwrap().success()
    );
    let page = text(&list(&tree, &shadowed, &["--sort", "age", "good"]).stdout);
    let note = format!("to start the first of them; jobs use {}:\n", tree.text("first/o/good:1"));
    assert!(page.contains(&note), "{page}");
}

/// Jobs look up the name without a tag only for a reference without a tag.
#[test]
fn a_file_without_a_tag_is_started_without_one() {
    let Some(tree) = tree() else { return };
    tree.image("root/docker.io/library/debian.sif", 7);
    let root = tree.text("root");
    for (word, expected) in
        [("ubuntu", "docker://ubuntu"), ("debian", "docker://docker.io/library/debian")]
    {
        let command = format!("srun apptainer run {expected}\n");
        assert_eq!(text(&list(&tree, &root, &["--commands", word]).stdout), command);
        let output = text(&list(&tree, &root, &[word]).stdout);
        assert!(output.ends_with(&format!("to start it:\n    {command}")), "{output}");
        let explained = Command::new(program(&tree))
            .args(["explain", "--root", &root, "--", "apptainer", "run", expected])
            .output()
            .unwrap();
        assert!(text(&explained.stdout).contains("decision    hit"), "{explained:?}");
    }
}

#[test]
fn without_a_match_similar_names_are_printed() {
    let Some(tree) = tree() else { return };
    let root = tree.text("root");
    let output = list(&tree, &root, &["pytroch"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    let message = text(&output.stderr);
    assert!(message.starts_with("sifcache: no image has 'pytroch' in its name\n"), "{message}");
    assert!(message.contains("\nsimilar names: pytorch/pytorch:2.3-rocm\n"), "{message}");
    assert!(message.contains("`sifcache misses`"), "{message}");
    let object: Value =
        serde_json::from_slice(&list(&tree, &root, &["--json", "pytroch", "x"]).stdout).unwrap();
    assert_eq!(object["similar"], serde_json::json!(["pytorch/pytorch:2.3-rocm"]));
    assert_eq!(object["images"], serde_json::json!([]));

    // The site adds images that users ask for.
    let line = format!("optional spank_sifcache.so image_root={root} filler=ctl\n");
    tree.file("plugstack.conf", line.as_bytes());
    let mut command = Command::new(program(&tree));
    command.args(["list", "--plugstack", &tree.text("plugstack.conf"), "docker://o/none:1"]);
    let message = text(&command.output().unwrap().stderr);
    assert!(message.ends_with("\nto ask for an image: sifcache request o/none:1\n"), "{message}");
}

#[test]
fn roots_that_cannot_be_read_do_not_hide_the_others() {
    let Some(tree) = tree() else { return };
    tree.image("closed/o/secret:1", 7);
    mode(&tree.path("closed"), 0o700);
    tree.image("root/group/secret:2", 7);
    mode(&tree.path("root/group"), 0o700);
    let roots = format!("{}:{}:{}", tree.text("closed"), tree.text("none"), tree.text("root"));
    let output = list(&tree, &roots, &["pytorch", "2.4"]);
    let (page, message) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(74), "{message}");
    assert!(page.contains("pytorch/pytorch:2.4-CUDA12"), "{page}");
    assert!(
        page.contains(&format!("{}: you may not read it\n", tree.text("root/group"))),
        "{page}"
    );
    let [closed, none] = ["closed", "none"].map(|name| tree.text(name));
    assert!(message.contains(&format!("image root {closed}: cannot read {closed}: ")), "{message}");
    assert!(message.contains(&format!("image root {none}: does not exist; ")), "{message}");

    let output = list(&tree, &roots, &["--json"]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["total"]["images"], 4);
    assert_eq!(object["closed"], serde_json::json!([tree.text("root/group")]));
    let failed = object["failed"].as_array().unwrap().iter();
    let mut failed: Vec<&str> = failed.map(|one| one["root"].as_str().unwrap()).collect();
    failed.sort_unstable();
    assert_eq!(failed, [closed, none]);
}

/// Images have the words, but do not meet the filters; and a root cannot be read.
#[test]
fn a_message_says_what_was_left_out() {
    let Some(tree) = tree() else { return };
    let root = tree.text("root");
    let message = |root: &str, words: &[&str], status| {
        let output = list(&tree, root, words);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        text(&output.stderr)
    };
    let filtered = "sifcache: no image matches 'pytorch' and the filters; 2 images match 'pytorch' \
                    alone\n";
    for filter in [["--larger-than", "1T"], ["--older-than", "9y"], ["--repo", "ubuntu"]] {
        assert_eq!(message(&root, &[&filter[..], &["pytorch"]].concat(), 1), filtered);
    }
    let words = ["--larger-than", "1T", "none-at-all"];
    let none = message(&root, &words, 1);
    assert!(none.starts_with("sifcache: no image has 'none-at-all' in its name\n"), "{none}");
    // A root that cannot be read may have such an image.
    tree.image("closed/o/secret:1", 7);
    mode(&tree.path("closed"), 0o700);
    let roots = format!("{root}:{}", tree.text("closed"));
    let unread = message(&roots, &["--larger-than", "1T", "pytorch"], 74);
    let expected = "sifcache: no image that could be read matches 'pytorch' and the filters; 2 images \
                    match 'pytorch' alone\n1 image root could not be read, and may have such an image\n";
    assert!(unread.ends_with(expected), "{unread}");
    let unread = message(&roots, &words, 74);
    let expected = "sifcache: no image that could be read has 'none-at-all' in its name\n1 image root \
                    could not be read, and may have such an image\n";
    assert!(unread.ends_with(expected), "{unread}");
    // A directory that is closed to the caller.
    mode(&tree.directory("root/group"), 0o700);
    let closed = message(&root, &["none-at-all"], 1);
    let expected = format!("\nnot searched: {}\n", tree.text("root/group"));
    assert!(closed.contains(&expected), "{closed}");
}

/// Filters apply to the references of other tools' images, which their file names do not show.
#[test]
fn filters_apply_to_images_of_other_tools() {
    let Some(tree) = tree() else { return };
    let roots = trees_of_other_tools(&tree);
    let refs = |words: &[&str]| text(&list(&tree, &roots, &[&["--refs"], words].concat()).stdout);
    assert_eq!(
        refs(&["--repo", "bio", "samtools"]),
        "bio/samtools:2\nbio/samtools:3\nbio/samtools:5\n"
    );
    let output = list(&tree, &roots, &["--repo", "other", "bio/samtools"]);
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    let expected = "sifcache: no image matches 'bio/samtools' and the filters; 3 images match \
                    'bio/samtools' alone\n";
    assert_eq!(message, expected);
}

/// Writes an image for each layout, and returns the value of `--root`.
fn trees_of_other_tools(tree: &Tree) -> String {
    let foreign = |name: &str, reference: &str| {
        let path = tree.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        let definition = format!("bootstrap: docker\nfrom: {reference}\n");
        Sif::image().with(Object::definition(definition)).write(&path).unwrap();
        mode(&path, 0o644);
    };
    let digest = format!("sha256:{}", "0f".repeat(32));
    foreign("galaxy/samtools:1.17", "any/samtools:1");
    foreign("nextflow/bio-samtools-2.img", "bio/samtools:2");
    foreign("pulls/samtools_3.sif", "bio/samtools:3");
    foreign("pulls/samtools_4.sif", "bio/other:4");
    // No job finds it under this name.
    foreign("pulls/samtools_6.sif", "bio/samtools:7");
    foreign(
        &format!("shpc/bio/samtools/5/bio-samtools-5-{digest}.sif"),
        &format!("bio/samtools@{digest}"),
    );
    for path in ["shpc", "shpc/bio", "shpc/bio/samtools", "shpc/bio/samtools/5"] {
        mode(&tree.path(path), 0o755);
    }
    let layouts = ["galaxy", "nextflow", "pulls", "shpc"];
    let foreign = layouts.map(|layout| format!("{layout}={}", tree.text(layout))).join(":");
    format!("{}:{foreign}", tree.text("root"))
}

/// Of another tool's files, those are listed that jobs use, under the reference that leads there.
#[test]
fn images_of_other_tools_are_found_by_words() {
    let Some(tree) = tree() else { return };
    let roots = trees_of_other_tools(&tree);
    let output = list(&tree, &roots, &["--json", "SAMTOOLS"]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    let images = object["images"].as_array().unwrap();
    let found: Vec<(&str, &str)> = images
        .iter()
        .map(|one| (one["reference"].as_str().unwrap(), one["layout"].as_str().unwrap()))
        .collect();
    let expected = [
        ("bio/samtools:2", "nextflow"),
        ("bio/samtools:3", "pulls"),
        ("bio/samtools:5", "shpc"),
        ("quay.io/biocontainers/samtools:1.17", "galaxy"),
    ];
    assert_eq!(found, expected, "{object:#}");
    let page = text(&list(&tree, &roots, &["biocontainers", "samtools"]).stdout);
    assert!(page.contains(&format!("galaxy={}", tree.text("galaxy/samtools:1.17"))), "{page}");
    assert!(
        page.ends_with("srun apptainer run docker://quay.io/biocontainers/samtools:1.17\n"),
        "{page}"
    );
    // Without words, they are not listed.
    let page = text(&list(&tree, &roots, &[]).stdout);
    assert!(page.contains("is filled by another tool and not listed\n"), "{page}");
}
