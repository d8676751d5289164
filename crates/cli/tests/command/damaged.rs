//! Images whose file exists but whose root file system is damaged: the behaviour of `add`, `import`
//! and `stage`.

use crate::registry::{Deed, Response, Server};
use crate::tree::{Tree, mode, sif};
use serde_json::Value;
use sif_fixture::{Object, Sif, file_system};
use std::fs;
use std::process::{Command, Stdio};

/// No server listens at this address, so only the runtime's own pull is used.
const REFERENCE: &str = "127.0.0.1:1/o/i:1";
const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// An image whose squashfs claims one byte more than its partition has.
fn damaged() -> Vec<u8> {
    let mut superblock = [0; 96];
    superblock[..4].copy_from_slice(b"hsqs");
    (superblock[14], superblock[28], superblock[40]) = (2, 4, 97);
    let root = Object::root_file_system(file_system::SQUASHFS, superblock);
    Sif::empty().with(root).bytes()
}

/// Runs the command with a runtime that pulls image number 8.
fn run(tree: &Tree, roots: &[&str], words: &[&str]) -> (Option<i32>, String, String) {
    let own = tree.image("own.sif", 8);
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec echo test version 1\nexec /bin/cp {} \"$2\"\n",
        own.display()
    );
    let runtime = tree.file("bin/apptainer", script.as_bytes());
    mode(&runtime, 0o755);
    let roots: Vec<String> = roots.iter().map(|root| tree.text(root)).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.arg(words[0]).args(["--root", &roots.join(":")]);
    if words[0] == "add" {
        command.args(["--no-https", "--runtime", runtime.to_str().unwrap()]);
    }
    let output = command.args(&words[1..]).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn add_reports_a_damaged_image_and_pulls_it_again() {
    let Some(tree) = Tree::new() else { return };
    let path = tree.file(format!("root/{REFERENCE}"), &damaged());
    let add = |words: &[&str]| run(&tree, &["root"], &[&["add"], words, &[REFERENCE]].concat());
    assert!(add(&["--dry-run"]).1.starts_with("would pull"), "{:?}", add(&["--dry-run"]));
    let (status, stdout, stderr) = add(&[]);
    assert!(status == Some(0) && stdout.starts_with("added"), "{stdout}{stderr}");
    let message = format!(
        "{} is damaged: its root file system is cut short: 96 of 97 bytes; pulling it again",
        path.display()
    );
    assert!(stderr.contains(&message), "{stderr}");
    assert_eq!(fs::read(&path).unwrap(), sif(8));
    let (status, stdout, stderr) = add(&[]);
    assert!(status == Some(0) && stdout.starts_with("present"), "{stdout}{stderr}");
    assert!(!stderr.contains("damaged"), "{stderr}");
}

/// The name with the digest leads to the same damaged file, which must not be used again.
#[test]
fn a_damaged_file_under_its_digest_is_not_reused() {
    let Some(tree) = Tree::new() else { return };
    let manifest = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
        "config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,
        "digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
        "layers":[]}"#;
    let server = Server::new(move |request| {
        let body = if request.line == "GET /v2/" { "{}" } else { manifest };
        let kind = "application/vnd.oci.image.manifest.v1+json";
        Deed::Answer(Response::new(200, body).with("Content-Type", kind))
    });
    let reference = format!("{}/o/i:1", server.address);
    let add = |words: &[&str]| {
        let words = [&["add", "--json"], words, &[&reference]].concat();
        let (status, stdout, stderr) = run(&tree, &["root"], &words);
        assert_eq!(status, Some(0), "{stdout}{stderr}");
        serde_json::from_str::<Value>(&stdout).unwrap()
    };
    let object = add(&[]);
    let digest = object["digests"][0].as_str().unwrap().to_owned();
    let pinned = tree.path(format!("root/{}/o/i@{digest}", server.address));
    let tag = tree.path(format!("root/{reference}"));
    let is_whole = || [&pinned, &tag].map(|path| fs::read(path).unwrap() == sif(8));
    assert_eq!((object["status"].as_str(), is_whole()), (Some("added"), [true; 2]), "{object:#}");
    // First one damaged file under both names, then two damaged files, and then changed content
    // that only a full read could detect, so that `--force` is needed.
    for (content, separate, words) in
        [(damaged(), false, &[] as &[&str]), (damaged(), true, &[]), (sif(9), false, &["--force"])]
    {
        fs::write(&tag, &content).unwrap();
        if separate {
            fs::remove_file(&pinned).unwrap();
            fs::write(&pinned, &content).unwrap();
        }
        assert_eq!(is_whole(), [false; 2]);
        let object = add(words);
        assert_eq!(
            (object["status"].as_str(), is_whole()),
            (Some("added"), [true; 2]),
            "{object:#}"
        );
    }
    assert_eq!(add(&[])["status"], "present");
}

/// Jobs would find the damaged file before the pulled file.
#[test]
fn a_damaged_image_in_another_root() {
    let Some(tree) = Tree::with_roots(&["local", "root"]) else { return };
    let path = tree.file(format!("local/{REFERENCE}"), &damaged());
    let (status, _, stderr) = run(&tree, &["local", "root"], &["add", REFERENCE]);
    assert_eq!(status, Some(65), "{stderr}");
    assert!(stderr.contains(&format!("{} is damaged: ", path.display())), "{stderr}");
    assert!(stderr.ends_with("; remove it, or replace it there with --into\n"), "{stderr}");
    let into = tree.text("local");
    let (status, _, stderr) = run(&tree, &["local", "root"], &["add", "--into", &into, REFERENCE]);
    assert_eq!((status, fs::read(&path).unwrap()), (Some(0), sif(8)), "{stderr}");
}

#[test]
fn import_reports_a_damaged_image_and_force_replaces_it() {
    let Some(tree) = Tree::new() else { return };
    let path = tree.file("root/o/i:1", &damaged());
    let file = tree.image("new.sif", 5);
    let file = file.to_str().unwrap();
    let import = |words: &[&str]| run(&tree, &["root"], &[&["import"], words].concat());
    let (status, _, stderr) = import(&[file, "o/i:1"]);
    assert_eq!(status, Some(73), "{stderr}");
    let message = "already exists, but it is damaged: its root file system is cut short: \
                96 of 97 bytes; --force replaces it\n";
    assert!(stderr.ends_with(message), "{stderr}");
    assert_eq!(import(&["--force", file, "o/i:1"]).0, Some(0));
    assert_eq!(fs::read(path).unwrap(), sif(5));
    // A damaged file is not imported either.
    let file = tree.file("bad.sif", &damaged());
    let (status, _, stderr) = import(&[file.to_str().unwrap(), "o/j:1"]);
    assert_eq!(status, Some(65), "{stderr}");
    assert!(stderr.ends_with("is cut short: 96 of 97 bytes\n"), "{stderr}");
    // The same holds for the name with a digest.
    let pinned = format!("o/i@{DIGEST}");
    tree.file(format!("root/{pinned}"), &damaged());
    let (status, _, stderr) =
        import(&["--digest", DIGEST, "--force", file.to_str().unwrap(), "o/i:1"]);
    assert_eq!(status, Some(65), "{stderr}");
    let file = tree.image("new.sif", 6);
    let (status, _, stderr) =
        import(&["--digest", DIGEST, "--force", file.to_str().unwrap(), "o/i:1"]);
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(fs::read(tree.path(format!("root/{pinned}"))).unwrap(), sif(6));
}
