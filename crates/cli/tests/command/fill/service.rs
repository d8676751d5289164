//! `sifcache fill --follow`.

use super::{POLICY, PULLS, Running, Site, end, signal};
use std::fs;
use std::os::unix::net::UnixDatagram;

#[test]
fn a_service_follows_the_log_and_the_policy() {
    let site = Site::new(PULLS);
    fs::write(site.path("log"), "").unwrap();
    let manager = UnixDatagram::bind(site.path("notify")).unwrap();
    let mut command = site.command(&["--follow", "--json"]);
    let child = command.env("NOTIFY_SOCKET", site.path("notify")).spawn().unwrap();
    let child = Running(Some(child));
    let mut buffer = [0; 16];
    let length = manager.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1");
    site.miss(1001, "o/i:1");
    site.wait("o/i:1", || site.has("o/i:1"));
    site.wait("beat", || site.path("root/.sifcache/queue/beat").exists());
    site.miss(1001, "forbidden/i:1");
    site.wait("refused", || site.queue().iter().any(|text| text.contains(" state=refused ")));
    // The text of a log identifies nobody.
    assert!(site.queue().iter().any(|text| text.contains(" users=0 ")), "{:?}", site.queue());
    // A broken policy does not apply.
    fs::write(site.path("fill.toml"), "allow = [").unwrap();
    site.miss(1001, "o/i:2");
    site.wait("o/i:2", || site.has("o/i:2"));
    // A new policy applies to images that were asked for before.
    fs::write(site.path("fill.toml"), POLICY.replace("forbidden", "other")).unwrap();
    site.wait("forbidden/i:1", || site.has("forbidden/i:1"));
    // An image that is removed is added again.
    fs::remove_file(site.path("root/127.0.0.1:1/o/i:1")).unwrap();
    site.miss(1002, "o/i:1");
    site.wait("o/i:1", || site.has("o/i:1"));
    signal(&child, "-TERM");
    let output = end(child);
    assert_eq!(output.status, Some(143), "{output:?}");
    let events: Vec<serde_json::Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let words: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let added = words.iter().filter(|word| **word == "added").count();
    assert_eq!((added, site.calls()), (4, 4), "{words:?}");
    assert!(words.contains(&"note") && words.contains(&"refused"), "{words:?}");
}

#[test]
fn a_service_without_a_runtime_ends() {
    let site = Site::new(PULLS);
    fs::write(site.path("log"), "").unwrap();
    fs::remove_file(site.path("apptainer")).unwrap();
    let output = site.fill(&["--follow"]);
    assert_eq!(output.status, Some(69), "{output:?}");
    assert!(output.stderr.contains("--runtime "), "{output:?}");
}
