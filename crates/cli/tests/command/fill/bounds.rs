//! Pulls that take too long, and images that are too large.

use super::registry::{CONFIG, ask, digest, manifest_of};
use super::{POLICY, PULLS, Site};
use crate::registry::{Deed, Response, Server};
use std::fs;
use std::path::Path;

/// The runtime pulls this image in the usual way, and does something else for others.
fn only(name: &str, otherwise: &str) -> String {
    format!("case \"$3\" in *{name}) {PULLS};; *) {otherwise};; esac")
}

/// A policy that allows everything, with these keys.
fn policy(site: &Site, more: &str) {
    fs::write(site.path("fill.toml"), format!("{POLICY}{more}\n")).unwrap();
}

fn is_running(site: &Site) -> bool {
    let id = fs::read_to_string(site.path("notes/runtime")).unwrap();
    Path::new("/proc").join(id.trim()).join("cmdline").exists()
}

#[test]
fn a_runtime_that_hangs_does_not_keep_its_place() {
    let hangs = "echo $$ > \"$NOTES/runtime\"; sleep 100; true";
    for (key, why) in [
        ("stall-timeout = \"1s\"", "no data have arrived for 1s (stall-timeout)"),
        ("pull-timeout = \"1s\"", "the pull took 1s (pull-timeout)"),
    ] {
        let site = Site::new(&only("o/i:2", hangs));
        policy(&site, key);
        site.miss(1001, "o/i:1");
        site.miss(1002, "o/i:2");
        let output = site.fill(&["--once", "--jobs=1"]);
        assert_eq!(output.status, Some(1), "{output:?}");
        let failed = format!("failed      127.0.0.1:1/o/i:1  {why}; next attempt in 5m\n");
        assert!(output.stdout.contains(&failed), "{output:?}");
        assert!(site.has("o/i:2") && !site.has("o/i:1"), "{output:?}");
        assert!(!is_running(&site) && site.is_clean());
        assert!(site.queue().iter().any(|text| text.contains(why)), "{:?}", site.queue());
    }
}

/// A layer of an image that this command would convert itself.
#[test]
fn a_registry_that_hangs_in_the_middle_of_a_layer_does_not_keep_a_place() {
    let config = r#"{"architecture": "amd64", "os": "linux"}"#;
    let manifest = manifest_of("application/vnd.oci.image.config.v1+json", config, 1000);
    let config_path = format!("/blobs/{}", digest(config));
    let server = Server::new(move |request| match request.line.as_str() {
        line if line.contains("/manifests/") => Deed::Answer(manifest.clone()),
        line if line.ends_with(&config_path) => Deed::Answer(Response::new(200, config)),
        line if line.contains("/blobs/") => Deed::Stall(Response::new(200, &"a".repeat(1000)), 500),
        _ => Deed::Answer(Response::new(200, "")),
    });
    let site = Site::new(PULLS);
    policy(&site, "stall-timeout = \"1s\"");
    ask(&site, &server, &["o/i:1"]);
    site.miss(1001, "o/i:2");
    let output = site.fill(&["--once", "--no-https", "--jobs=1"]);
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(server.lines().iter().any(|line| line.contains("/blobs/sha256:00")), "{output:?}");
    assert!(output.stdout.contains("no data have arrived for 1s (stall-timeout)"), "{output:?}");
    // The runtime does not try the same again.
    assert!(site.has("o/i:2") && site.calls() == 1, "{output:?}");
    assert!(site.is_clean());
}

/// The registry states a size, or the file has one.
#[test]
fn the_size_of_an_image_of_any_transport_is_limited() {
    let server = Server::new(|request| {
        let large = 60_u64 << 30;
        Deed::Answer(match request.line.as_str() {
            line if line.ends_with("/large.sif") => {
                Response::new(200, "").with("Content-Length", &large.to_string())
            }
            line if line.starts_with("HEAD ") => Response::new(405, ""),
            _ => manifest_of(CONFIG, "{}", large),
        })
    });
    let site = Site::new(PULLS);
    policy(&site, "max-size = \"50G\"");
    let name = |transport: &str, path: &str| format!("{transport}://{}/{path}", server.address);
    let stated = [name("oras", "o/i:1"), name("http", "d/large.sif")];
    for reference in &stated {
        site.misses(1001, reference);
    }
    let output = site.fill(&["--once", "--no-https"]);
    let why = "  it has 60.00 GiB, and the policy's max-size is 50.00 GiB";
    assert_eq!(output.stdout.matches(why).count(), 2, "{output:?}");
    assert_eq!((output.status, site.calls()), (Some(1), 0), "{output:?}");

    policy(&site, "max-size = \"500\"");
    let unknown = ["library://l/c/i:1".to_owned(), name("http", "d/unknown.sif")];
    for reference in &unknown {
        site.misses(1001, reference);
    }
    let output = site.fill(&["--once", "--no-https"]);
    let why = "  its file has at least 800 B, and the policy's max-size is 500 B";
    assert_eq!(output.stdout.matches(why).count(), 2, "{output:?}");
    assert_eq!((output.status, site.calls()), (Some(1), 2), "{output:?}");
    assert!(site.is_clean() && !site.path("root/_library").exists());
    assert!(!site.path("root/_http").exists());
}

/// The size counts while the file is written.
#[test]
fn a_file_that_grows_beyond_the_limit_is_not_written_to_its_end() {
    let endless = "echo $$ > \"$NOTES/runtime\"\n\
        while head -c 300000 /dev/zero >> \"$2\"; do sleep 0.05; done";
    let site = Site::new(endless);
    policy(&site, "max-size = \"1M\"");
    site.misses(1001, "library://l/c/i:1");
    let output = site.fill(&["--once"]);
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(output.stdout.contains("and the policy's max-size is 1.00 MiB"), "{output:?}");
    assert!(!is_running(&site) && site.is_clean());
}
