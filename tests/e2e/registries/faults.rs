//! The proxy that misbehaves.

use super::{fails, gets, pull, pull_for};
use crate::kit::registry::{self, misbehaving};
use crate::kit::{IMAGE, Site, hub};
use std::time::{Duration, Instant};

/// An image of 150 MB.
const LARGE: &str = "determinedai/environments:py-3.8-pytorch-1.10-tf-2.8-cpu-69f397f";

#[test]
#[ignore = "needs a testbed: make test"]
fn without_a_fault_the_proxy_behaves_like_the_registry() {
    let site = Site::new("");
    let registry = misbehaving("none");
    gets(&site, &[], IMAGE, IMAGE);
    let blobs = || {
        let is_blob = |line: &&String| line.starts_with("GET ") && line.contains("/blobs/");
        registry.requests().iter().filter(is_blob).count()
    };
    assert_eq!(blobs(), 2, "a layer and a configuration: {:?}", registry.requests());
    gets(&site, &[], IMAGE, IMAGE);
    assert_eq!(blobs(), 4, "{:?}", registry.requests());
}

#[test]
#[ignore = "needs a testbed: make test"]
fn each_fault_fails_a_pull_in_its_own_way() {
    let site = Site::new("");
    hub("stop");
    fails(&site, &[], IMAGE, "connection refused");
    for (fault, message) in [
        ("manifests=500", "500"),
        ("blobs=500", "500"),
        ("cut=300000", "unexpected EOF"),
        ("corrupt", "error verifying sha256 checksum"),
    ] {
        println!("{fault}");
        let registry = misbehaving(fault);
        fails(&site, &[], IMAGE, message);
        let asked = registry.requests().len();
        assert!(asked > 0);
        // The fault persists.
        fails(&site, &[], IMAGE, message);
        assert!(registry.requests().len() > asked);
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_registry_that_ends_during_a_pull_stays_down() {
    let site = Site::new("");
    let registry = misbehaving("gone=5000000");
    // A small image can still be pulled.
    gets(&site, &[], IMAGE, IMAGE);
    fails(&site, &[], LARGE, "unexpected EOF");
    assert!(registry.requests().iter().any(|line| line.contains("/blobs/")));
    fails(&site, &[], IMAGE, "connection refused");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_busy_registry_answers_the_second_request() {
    let site = Site::new("");
    let registry = misbehaving("busy=1");
    gets(&site, &[], IMAGE, IMAGE);
    let log = registry.log();
    let asked: Vec<&str> = log.lines().take(2).collect();
    assert!(asked.len() == 2 && asked[0] == asked[1], "the request was not repeated: {log}");
}

/// The size of the compressed layer is about 1.1 MB.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_slow_registry_takes_longer() {
    let site = Site::new("");
    let _registry = misbehaving("slow=400000");
    let begun = Instant::now();
    gets(&site, &[], IMAGE, IMAGE);
    assert!(begun.elapsed() > Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_hanging_registry_never_answers() {
    let site = Site::new("");
    let registry = misbehaving("hang");
    for seconds in ["2", "1"] {
        let output = pull_for(&site, seconds, &[], IMAGE);
        assert_eq!(output.status, 124, "{output:#?}");
        assert!(!output.stderr.contains("refused"), "{output:#?}");
    }
    // The connections were accepted, and the first request on each was read.
    assert!(registry.requests().is_empty() && registry.log().lines().count() >= 2);
    drop(registry);
    fails(&site, &[], IMAGE, "connection refused");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn head_without_a_digest() {
    let site = Site::new("");
    // The script reads as little of the response as possible, and does not verify the certificate.
    let script = "import http.client, ssl, sys; \
        c = http.client.HTTPSConnection('docker.io', context=ssl._create_unverified_context()); \
        c.request(sys.argv[1], '/v2/library/alpine/manifests/3.20', \
        headers={'Accept': 'application/vnd.oci.image.manifest.v1+json'}); \
        a = c.getresponse(); print(a.status, a.getheader('Docker-Content-Digest'))";
    let digest = || {
        ["HEAD", "GET"].map(|method| {
            let output = site.exec(&[], &["python3", "-c", script, method], "");
            assert_eq!(output.status, 0, "{output:#?}");
            output.stdout.trim().to_owned()
        })
    };
    let registry = misbehaving("none");
    let [head, get] = digest();
    assert!(head.starts_with("200 sha256:") && head == get, "{head} {get}");
    drop(registry);
    let _registry = misbehaving("undigested");
    assert_eq!(digest(), ["200 None".to_owned(), get]);
    assert_eq!(pull(&site, &[], "alpine:3.20").status, 0);
}

/// No matter how a test ends, the next test can use the hub's port.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_failed_test_stops_its_registry() {
    let site = Site::new("");
    for fault in ["none", "hang", "gone=10"] {
        let failed = std::panic::catch_unwind(|| {
            let _registry = misbehaving(fault);
            pull_for(&site, "1", &[], IMAGE);
            panic!("intended");
        });
        assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"intended"));
        fails(&site, &[], IMAGE, "connection refused");
        hub("start");
        assert!(registry::digest(IMAGE).starts_with("sha256:"));
        hub("stop");
    }
}
