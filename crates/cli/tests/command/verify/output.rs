//! The output, and the verification of signatures by the runtime.

use crate::tree::{Tree, mode};
use serde_json::json;
use sif_fixture::{Object, Sif};

#[test]
fn the_object_is_as_documented() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/o/bad:1", b"");
    tree.file("root/NOTES", b"");
    let text = |name: &str| tree.text(name);
    let expected = json!({
        "files": 3, "images": 1, "size": 800, "problems": 1, "notes": 1,
        "findings": [
            {
                "path": text("root/NOTES"), "finding": "stray", "problem": false,
                "message": "not an image, and its name matches no reference",
                "advice": null, "affected": [],
            },
            {
                "path": text("root/o/bad:1"), "finding": "empty", "problem": true,
                "message": "an empty file",
                "advice": "put the image there again, or remove the file from the image root",
                "affected": [],
            },
        ],
        "fixed": [],
        "all": [
            {"path": text("root/NOTES"), "state": "not-a-sif", "reference": null, "found_as": [], "size": 0},
            {"path": text("root/o/bad:1"), "state": "empty", "reference": "o/bad:1", "found_as": [], "size": 0},
            {"path": text("root/o/good:1"), "state": "image", "reference": "o/good:1", "found_as": ["o/good:1"], "size": 800},
        ],
    });
    assert_eq!(tree.object(&["--all"]), expected);
    assert_eq!(tree.object(&[]).get("all"), None);
}

#[test]
fn every_file_on_request() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/Upper", 2);
    let output = tree.run(&["--all"]).stdout;
    let good =
        format!("{}: an image, 800 B, found as docker://o/good:1\n", tree.text("root/o/good:1"));
    let upper = tree.text("root/Upper: a SIF file, 800 B, whose name matches no reference\n");
    assert!(output.starts_with(&format!("{upper}{good}")), "{output}");
    assert!(output.ends_with("\n2 files, 1 image, 1.56 KiB, 1 problem\n"), "{output}");
}

/// A signed image, and a script that prints the runtime's messages.
#[test]
fn the_runtime_verifies_signatures() {
    let Some(tree) = Tree::new() else { return };
    let signed = Sif::image_of(87).id(2).with(Object::signature());
    tree.file("root/o/signed:1", &signed.bytes());
    let tokens = || -> Vec<(String, bool)> {
        let findings = tree.findings(&["--deep"]).into_iter();
        findings.map(|(token, name, problem)| (format!("{token} {name}"), problem)).collect()
    };
    tree.is_fine();
    assert_eq!(tokens(), [("not-verified root/o/signed:1".to_owned(), false)]);
    let runtime = |text: &str| {
        // The runtime is called only for the signed image, with its path.
        let path = tree.text("root/o/signed:1");
        let script = format!("#!/bin/sh\n[ \"$*\" = \"verify {path}\" ] || exit 0\n{text}\n");
        mode(&tree.file("bin/apptainer", script.as_bytes()), 0o755);
    };
    runtime("exit 0");
    assert_eq!(tokens(), []);
    runtime("echo 'FATAL:   integrity: data object integrity compromised: 4' >&2; exit 255");
    assert_eq!(tokens(), [("bad-signature root/o/signed:1".to_owned(), true)]);
    runtime("echo 'FATAL:   openpgp: signature made by unknown entity' >&2; exit 255");
    assert_eq!(tokens(), [("unknown-signer root/o/signed:1".to_owned(), false)]);
}

/// An invalid command line, and a `--timeout` that is not a duration.
#[test]
fn wrong_usage_is_64() {
    let Some(tree) = Tree::new() else { return };
    for words in [["--deeper"].as_slice(), &["--timeout", "soon"], &["--plugstack", "/x"]] {
        assert_eq!(tree.run(words).status, Some(64), "{words:?}");
    }
}

/// SIGINT, as from Ctrl-C, while a large file is read.
#[test]
fn a_signal_ends_the_command_quickly() {
    let Some(tree) = Tree::new() else { return };
    let file = std::fs::File::options().write(true).open(tree.path("root/o/good:1")).unwrap();
    file.set_len(1 << 42).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(["verify", "--root", &tree.text("root"), "--deep", "--json"]);
    command.stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
