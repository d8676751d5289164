//! `sifcache refresh` of files that were copied by hand, and whose digest the runtime has recorded
//! in their labels.

mod at_once;

use crate::registry::{Deed, Response, Server};
use crate::tree::{Tree, mode, pulled};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const MOVED: &str = "sha256:1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e";

/// A registry that returns this digest for every tag.
fn registry(digest: &'static str) -> Server {
    Server::new(move |request| {
        let response = match request.line.as_str() {
            "GET /v2/" => Response::new(200, "{}"),
            _ => Response::new(200, "").with("Docker-Content-Digest", digest),
        };
        Deed::Answer(response)
    })
}

/// An image as written by this version of Apptainer, with the reference `name` in its labels.
fn image(from: &str, version: &str, name: &str) -> Vec<u8> {
    let labels = [
        ("org.label-schema.usage.apptainer.version", version),
        ("org.opencontainers.image.base.name", name),
        ("org.opencontainers.image.base.digest", DIGEST),
    ];
    pulled(from, &labels)
}

/// Refreshes one reference with a runtime that pulls an image and logs the pull.
fn refresh(tree: &Tree, words: &[&str]) -> (Option<i32>, String) {
    refresh_site(tree, &["--root", &tree.text("root")], words)
}

fn refresh_site(tree: &Tree, site: &[&str], words: &[&str]) -> (Option<i32>, String) {
    let own = tree.image("own.sif", 8);
    let script = format!(
        "#!/bin/sh\ncase $* in\n--version) echo test version 1;;\n\
         *) echo \"$*\" >>{log}; /bin/cp {own} \"$2\";;\nesac\n",
        log = tree.text("pulls"),
        own = own.display()
    );
    let runtime = tree.file("bin/apptainer", script.as_bytes());
    mode(&runtime, 0o755);
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.arg("refresh").args(site).args(["--no-https", "--json"]);
    command.arg("--runtime").arg(runtime).args(words).stdin(Stdio::null());
    let output = command.output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!line.is_empty(), "{stderr}");
    let object: Value = serde_json::from_str(&line).unwrap();
    (output.status.code(), object["status"].as_str().unwrap().to_owned())
}

#[test]
fn the_digest_in_the_labels_is_compared() {
    let Some(tree) = Tree::new() else { return };
    let (same, moved) = (registry(DIGEST), registry(MOVED));
    for (server, check, status) in [(&same, Some(0), "unchanged"), (&moved, Some(1), "moved")] {
        let reference = format!("{}/o/i:1", server.address);
        let content = image(&reference, "1.5.0", &reference);
        let path = tree.file(format!("root/{reference}"), &content);
        assert_eq!(refresh(&tree, &["--check", &reference]), (check, status.to_owned()));
        assert!(!tree.path("pulls").exists(), "a check pulls nothing");
        assert!(server.lines().iter().any(|line| line == "HEAD /v2/o/i/manifests/1"));
        let (exit, done) = refresh(&tree, &[&reference]);
        let expected = if status == "moved" { "refreshed" } else { "unchanged" };
        assert_eq!((exit, done.as_str()), (Some(0), expected));
        assert_eq!(fs::read(&path).unwrap() == content, status == "unchanged");
        assert_eq!(tree.path("pulls").exists(), status == "moved");
    }
}

/// The status of a check says whether images are outdated, also if the reader of its output has left.
#[test]
fn outdated_images_are_reported_to_a_closed_pipe() {
    let Some(tree) = Tree::new() else { return };
    let servers = [registry(DIGEST), registry(MOVED)];
    let [same, moved] = servers.each_ref().map(|server| format!("{}/o/i:1", server.address));
    for reference in [&same, &moved] {
        tree.file(format!("root/{reference}"), &image(reference, "1.5.0", reference));
    }
    for (references, expected) in
        [(&[&same][..], Some(0)), (&[&moved], Some(1)), (&[&same, &moved], Some(1))]
    {
        for more in [&[] as &[&str], &["--json"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
            command.args(["refresh", "--check", "--no-https", "--root", &tree.text("root")]);
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            command.args(more).args(references).stdin(Stdio::null()).stdout(writer);
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), expected, "{references:?} {more:?}: {output:?}");
        }
    }
    for server in servers {
        assert!(server.lines().iter().any(|line| line == "HEAD /v2/o/i/manifests/1"));
    }
}

/// The manifest of an image, before or after the tag has moved.
fn manifest(moved: bool) -> String {
    let media = "application/vnd.oci.image";
    let descriptor = format!(
        r#"{{"mediaType":"{media}.config.v1+json","digest":"{DIGEST}","size":{}}}"#,
        if moved { 2 } else { 1 }
    );
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{media}.manifest.v1+json","config":{descriptor},"layers":[]}}"#
    )
}

fn digest(text: &str) -> String {
    let hex: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A registry with one manifest until `moved` is set, and then with another one.
fn tagged(moved: Arc<AtomicBool>) -> Server {
    Server::new(move |request| {
        let manifest = manifest(moved.load(Ordering::Relaxed));
        let response = match request.line.as_str() {
            "GET /v2/" => Response::new(200, "{}"),
            _ => Response::new(200, &manifest),
        };
        Deed::Answer(response.with("Docker-Content-Digest", &digest(&manifest)))
    })
}

/// With `pull=link`, files of users can link to the name with the old digest.
#[test]
fn the_old_digest_stays_if_files_may_link_to_it() {
    for (setting, stays) in [("pull=copy", false), ("pull=link", true)] {
        let Some(tree) = Tree::new() else { return };
        let moved = Arc::new(AtomicBool::new(false));
        let server = tagged(Arc::clone(&moved));
        let reference = format!("{}/o/i:1", server.address);
        tree.file(format!("root/{reference}"), &image("o/x:1", "1.5.0", "o/x:1"));
        let root = tree.text("root").replace(':', "\\:");
        let line = format!("optional spank_sifcache.so image_root={root} {setting}\n");
        let plugstack = tree.file("plugstack.conf", line.as_bytes());
        let site = ["--plugstack", plugstack.to_str().unwrap()];
        for expected in ["refreshed", "refreshed"] {
            let (exit, done) = refresh_site(&tree, &site, &[&reference]);
            assert_eq!((exit, done.as_str()), (Some(0), expected), "{setting}");
            moved.store(true, Ordering::Relaxed);
        }
        let pinned =
            |moved| tree.path(format!("root/{}/o/i@{}", server.address, digest(&manifest(moved))));
        assert!(pinned(true).exists());
        assert_eq!(pinned(false).exists(), stays, "{setting}");
    }
}

/// The digest of these files is unknown, so they are pulled again if they are given on the command
/// line.
#[test]
fn labels_about_a_different_image() {
    let Some(tree) = Tree::new() else { return };
    let server = registry(DIGEST);
    let reference = format!("{}/o/i:1", server.address);
    let other = format!("{}/o/i:2", server.address);
    for (content, what) in [
        (image(&reference, "1.4.5", &reference), "of a release that inherits them"),
        (image(&reference, "1.5.0", &other), "of the image that it was built on"),
        (image(&other, "1.5.0", &other), "of an image of another name"),
        (pulled(&reference, &[]), "none"),
    ] {
        tree.file(format!("root/{reference}"), &content);
        let found = refresh(&tree, &["--check", &reference]);
        assert_eq!(found, (Some(1), "unknown".to_owned()), "{what}");
    }
    assert_eq!(refresh(&tree, &[&reference]), (Some(0), "refreshed".to_owned()));
    assert!(tree.path("pulls").exists());
}
