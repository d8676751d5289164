//! `sifcache fill`: images that jobs did not find are added once, from real logs.

use super::{objects, sifcache, started};
use crate::kit::filler::with_filler;
use crate::kit::journal::Journal;
use crate::kit::{IMAGE, OTHER, Output, SHARED, Site, hub, tree, with_hub};
use std::fs;
use std::time::{Duration, Instant};

const LOGS: [&str; 2] = ["/home/n1.log", "/home/n2.log"];
const POLICY: &str = "/home/fill.toml";
/// The exit status of `sifcache request` if no filler has answered.
const NO_ANSWER: i32 = 69;
/// Text of a log identifies nobody.
const COUNT: &str = "unidentified = \"count\"\n";

/// Writes the policy.
fn policy(site: &Site, more: &str) {
    fs::write(site.at("ctl", POLICY), format!("allow = [\"**\"]\n{more}")).unwrap();
}

/// Copies the new part of both nodes' logs to files on the login node.
fn gather(site: &Site) {
    for (host, path) in ["n1", "n2"].iter().zip(LOGS) {
        fs::write(site.at("ctl", path), site.log(host)).unwrap();
    }
}

fn miss(site: &Site, user: &str, node: &str, image: &str) {
    let words = ["srun", "-w", node, "apptainer", "exec", &format!("docker://{image}"), "true"];
    site.exec(&["--user", user], &words, "");
    site.logged(node, &format!("/{image}\n"));
}

/// The words of `sifcache fill --once` with both logs.
fn once() -> Vec<&'static str> {
    let logs = LOGS.iter().flat_map(|log| ["--log", log]);
    ["fill", "--once", "--json", "--policy", POLICY].into_iter().chain(logs).collect()
}

/// The events and references that a run of `fill` prints, sorted.
fn events(output: &crate::kit::Output) -> Vec<(String, String)> {
    let text = |object: &serde_json::Value, key: &str| object[key].as_str().unwrap().to_owned();
    let objects = objects(output);
    let about_images = objects.iter().filter(|object| object["reference"].is_string());
    let mut found: Vec<_> =
        about_images.map(|object| (text(object, "event"), text(object, "reference"))).collect();
    found.sort();
    found
}

fn event(word: &str, reference: &str) -> (String, String) {
    (word.to_owned(), reference.to_owned())
}

#[test]
#[ignore = "needs a testbed: make test"]
fn two_users_miss_an_image_and_it_is_added_once() {
    let site = Site::new("");
    policy(&site, COUNT);
    miss(&site, "alice", "n1", IMAGE);
    miss(&site, "bob", "n2", IMAGE);
    miss(&site, "bob", "n2", OTHER);
    gather(&site);
    let output = with_hub(|| sifcache(&site, &once()));
    assert_eq!(output.status, 0, "{output:#?}");
    assert_eq!(events(&output), [event("added", IMAGE), event("added", OTHER)], "{output:#?}");
    // The registry is down, so these jobs start from the cache.
    started(&site, IMAGE).ran(IMAGE);
    started(&site, OTHER).ran(OTHER);
    let again = sifcache(&site, &once());
    assert_eq!((again.status, again.stdout.as_str()), (0, ""), "{again:#?}");
    tree::is_clean(&site.at("ctl", SHARED));
}

/// The journal names the user of each line, so that the policy needs no `unidentified`, and a line
/// with the name of another user is no request.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_journal_identifies_the_users() {
    let site = Site::new("");
    policy(&site, "askers = 2\n");
    let _journal = Journal::start("n1");
    let launch = |user: &str, image: &str| {
        let words = ["srun", "-wn1", "apptainer", "exec", &format!("docker://{image}"), "true"];
        site.exec(&["--user", user], &words, "");
    };
    for user in ["alice", "bob"] {
        launch(user, IMAGE);
    }
    launch("alice", OTHER);
    let forged = format!("event=miss job=1 uid=4711 reference=docker.io/{OTHER}");
    site.exec(&["--on", "n1", "--user", "alice"], &["logger", "-t", "sifcache", &forged], "");
    hub("start");
    let words = ["sifcache", "fill", "--once", "--json", "--policy", POLICY];
    // journald stores messages with a short delay.
    let limit = Instant::now() + Duration::from_secs(10);
    let mut found = Vec::new();
    while found.len() < 2 && Instant::now() < limit {
        let output = site.exec(&["--on", "n1"], &words, "");
        assert_eq!(output.status, 0, "{output:#?}");
        found.extend(events(&output));
    }
    hub("stop");
    found.sort();
    assert!(found.contains(&event("added", IMAGE)), "{found:?}");
    assert!(found.contains(&event("not-yet", OTHER)), "{found:?}");
    assert!(!found.contains(&event("added", OTHER)), "{found:?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_registry_that_is_down_and_up_again() {
    let site = Site::new("");
    policy(&site, &format!("{COUNT}backoff = {{ first = \"1s\", longest = \"2s\" }}\n"));
    miss(&site, "alice", "n1", IMAGE);
    gather(&site);
    let output = sifcache(&site, &once());
    assert_eq!(output.status, 1, "{output:#?}");
    assert_eq!(events(&output), [event("failed", IMAGE)], "{output:#?}");
    tree::is_clean(&site.at("ctl", SHARED));
    let limit = Instant::now() + Duration::from_secs(60);
    with_hub(|| {
        while !site.at("ctl", SHARED).join(IMAGE).exists() && Instant::now() < limit {
            assert_eq!(sifcache(&site, &once()).status, 0);
        }
    });
    started(&site, IMAGE).ran(IMAGE);
}

/// A site without central logs: a user on a node asks the service, which munge tells who it is, and
/// waits for the image.
#[test]
#[ignore = "needs a testbed: make test"]
fn users_ask_the_service_over_the_network() {
    let site = Site::new("");
    site.plugstack("optional spank_sifcache.so image_root=/shared/sif filler=ctl\n");
    let request = |user: &str| {
        let words = ["timeout", "60", "sifcache", "request", IMAGE];
        let ask = || site.exec(&["--on", "n1", "--user", user], &words, "");
        // On a busy machine, the answer can take longer than the two seconds for it.
        let is_answer = |output: &Output| output.status != NO_ANSWER;
        (0..3).map(|_| ask()).find(is_answer).unwrap_or_else(ask)
    };
    let policy = "allow = [\"**\"]\nusers = [\"bob\"]\n";
    let (outputs, filler) = with_filler(&site, policy, || ["alice", "bob", "alice"].map(request));
    let statuses = outputs.each_ref().map(|output| output.status);
    assert_eq!(statuses, [1, 0, 0], "{outputs:#?}\n{filler:#?}");
    started(&site, IMAGE).ran(IMAGE);
}
