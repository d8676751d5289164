//! A registry that asks for pauses, and one with two tags of one image.

use super::{PULLS, Site};
use crate::registry::{Deed, Response, Server};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) const CONFIG: &str = "application/vnd.unknown.config";

/// A manifest with layers of this size. Only the runtime can pull it.
pub(super) fn manifest(size: u64) -> Response {
    manifest_of(CONFIG, "{}", size)
}

/// The digest of a text.
pub(super) fn digest(text: &str) -> String {
    let bytes = Sha256::digest(text);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A manifest with a config of this type and one layer of this size, whose digest is invalid.
pub(super) fn manifest_of(kind: &str, config: &str, size: u64) -> Response {
    let (length, config) = (config.len(), digest(config));
    let layer = format!(
        r#"{{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": "sha256:{}", "size": {size}}}"#,
        "00".repeat(32)
    );
    let body = format!(
        r#"{{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {{"mediaType": "{kind}", "digest": "{config}", "size": {length}}},
        "layers": [{layer}]}}"#
    );
    Response::new(200, &body)
        .with("Docker-Content-Digest", &digest(&body))
        .with("Content-Type", "application/vnd.oci.image.manifest.v1+json")
}

pub(super) fn ask(site: &Site, server: &Server, names: &[&str]) {
    for name in names {
        site.miss(1001, name);
    }
    let log = fs::read_to_string(site.path("log")).unwrap();
    fs::write(site.path("log"), log.replace("127.0.0.1:1/", &format!("{}/", server.address)))
        .unwrap();
}

#[test]
fn a_busy_registry_has_a_pause_and_its_images_have_none() {
    let busy = Arc::new(AtomicBool::new(true));
    let server = {
        let busy = Arc::clone(&busy);
        Server::new(move |_| {
            Deed::Answer(match busy.load(Ordering::Relaxed) {
                true => Response::new(429, "").with("Retry-After", "3600"),
                false => manifest(10),
            })
        })
    };
    let site = Site::new(PULLS);
    ask(&site, &server, &["o/i:1", "o/i:2"]);
    let words = ["--once", "--no-https", "--jobs=1"];
    let output = site.fill(&words);
    assert_eq!((output.status, site.calls()), (Some(1), 0), "{output:?}");
    assert_eq!(output.stdout.matches("paused ").count(), 1, "{output:?}");
    assert!(output.stdout.contains("too many requests from this host"), "{output:?}");
    let asked = server.lines().len();
    let queue = site.queue();
    let reason = format!("{} asks for a pause of ", server.address);
    assert_eq!(queue.iter().filter(|text| text.contains(&reason)).count(), 2, "{queue:?}");
    busy.store(false, Ordering::Relaxed);
    let output = site.fill(&words);
    assert_eq!((output.status, server.lines().len()), (Some(0), asked), "{output:?}");
    let path = site.path("root/.sifcache/fill/state.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"seconds\":3600", "\"seconds\":0")).unwrap();
    let output = site.fill(&words);
    // The second tag has the same content, so it is a link.
    assert_eq!((output.status, site.calls()), (Some(0), 1), "{output:?}");
    assert_eq!(output.stdout.matches("added ").count(), 2, "{output:?}");
}

#[test]
fn two_tags_of_one_digest_are_downloaded_once() {
    let server = Server::new(|_| Deed::Answer(manifest(10)));
    let slow = format!("sleep 1; {PULLS}");
    let site = Site::new(&slow);
    ask(&site, &server, &["o/i:1", "o/i:2", "o/i:3"]);
    let output = site.fill(&["--once", "--no-https", "--jobs=3"]);
    assert_eq!((output.status, site.calls()), (Some(0), 1), "{output:?}");
    assert_eq!(output.stdout.matches("added ").count(), 3, "{output:?}");
    let file = |tag: &str| {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(site.path("root").join(&server.address).join(tag)).unwrap().ino()
    };
    assert!(file("o/i:1") == file("o/i:2") && file("o/i:2") == file("o/i:3"));
}

#[test]
fn an_image_that_is_too_large_is_not_downloaded() {
    let server = Server::new(|_| Deed::Answer(manifest(60 << 30)));
    let site = Site::new(PULLS);
    ask(&site, &server, &["o/i:1"]);
    let output = site.fill(&["--once", "--no-https"]);
    assert_eq!((output.status, site.calls()), (Some(1), 0), "{output:?}");
    assert!(output.stdout.starts_with("refused "), "{output:?}");
    assert!(
        output.stdout.contains("60.00 GiB, and the policy's max-size is 50.00 GiB"),
        "{output:?}"
    );
    assert!(site.queue()[0].contains(" state=refused "), "{:?}", site.queue());
}

/// Text with its digest.
fn blob(text: &str) -> (String, String) {
    let hex: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("sha256:{hex}"), text.to_owned())
}

/// A registry with an image that sifcache converts itself. A request whose line contains `limited`
/// is one too many.
fn limiting(limited: &'static str) -> Server {
    let (layer, _) = blob("layer");
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let (config, text) = blob(&format!(
        r#"{{"architecture": "{architecture}", "os": "linux", "rootfs": {{"type": "layers", "diff_ids": ["{layer}"]}}}}"#
    ));
    let kind = "application/vnd.oci.image";
    let (digest, manifest) = blob(&format!(
        r#"{{"schemaVersion": 2, "mediaType": "{kind}.manifest.v1+json",
        "config": {{"mediaType": "{kind}.config.v1+json", "digest": "{config}", "size": {}}},
        "layers": [{{"mediaType": "{kind}.layer.v1.tar+gzip", "digest": "{layer}", "size": 5}}]}}"#,
        text.len()
    ));
    let words = [("CONFIG", config.clone()), ("LAYER", layer), ("TOKEN", "/token".to_owned())];
    let limited = words.into_iter().find(|(word, _)| *word == limited).unwrap().1;
    Server::new(move |request| {
        let line = &request.line;
        Deed::Answer(if line.contains(&limited) {
            Response::new(429, "").with("Retry-After", "3600")
        } else if limited == "/token" {
            let realm = format!("Bearer realm=\"http://{}/token\"", request.headers["host"]);
            Response::new(401, "").with("WWW-Authenticate", &realm)
        } else if line.contains("/manifests/") {
            Response::new(200, &manifest)
                .with("Docker-Content-Digest", &digest)
                .with("Content-Type", &format!("{kind}.manifest.v1+json"))
        } else if line.contains(&config) {
            Response::new(200, &text)
        } else {
            Response::new(404, "")
        })
    })
}

/// Any request of a pull may be one too many. The runtime, which would ask again, does not pull.
#[test]
fn a_rate_limit_holds_for_each_request_of_a_pull() {
    for limited in ["TOKEN", "CONFIG", "LAYER"] {
        let server = limiting(limited);
        let site = Site::new(PULLS);
        // The template is not there before the answer of the registry.
        let runtime = site.path("apptainer");
        let script = fs::read_to_string(&runtime).unwrap();
        let slow = script.replace("|| exit 0", "|| { sleep 2; exit 1; }");
        assert_ne!(script, slow);
        fs::write(&runtime, slow).unwrap();
        ask(&site, &server, &["o/i:1"]);
        let output = site.fill(&["--once", "--no-https"]);
        assert_eq!(
            (output.status, site.calls()),
            (Some(1), 0),
            "{limited}: {output:?} {:?}",
            server.lines()
        );
        assert!(output.stdout.contains("log in, or wait for 3600 s"), "{output:?}");
        assert_eq!(output.stdout.matches("paused ").count(), 1, "{limited}: {output:?}");
        let reason = format!("{} asks for a pause of ", server.address);
        let queue = site.queue();
        assert!(queue.iter().all(|text| text.contains(&reason)), "{limited}: {queue:?}");
    }
}

/// The runtime pulls an image that sifcache does not convert.
#[test]
fn a_rate_limit_that_the_runtime_meets() {
    let server = Server::new(|_| Deed::Answer(manifest(10)));
    let text = "echo 'FATAL:   While making image: unexpected HTTP status: 429 Too Many Requests'";
    let site = Site::new(&format!("echo pull >>\"$NOTES/calls\"; {text} >&2; exit 255"));
    ask(&site, &server, &["o/i:1", "o/i:2"]);
    let output = site.fill(&["--once", "--no-https", "--jobs=1"]);
    assert_eq!((output.status, site.calls()), (Some(1), 1), "{output:?}");
    assert_eq!(output.stdout.matches("paused ").count(), 1, "{output:?}");
}
