//! The answers of `fill --check`.

use super::{check, duration, object, text, verdict};
use crate::demand::policy::Policy;
use crate::error::Failure;
use crate::exit::Exit;
use serde_json::json;
use sifcache_core::reference::Reference;
use std::fs;
use std::path::Path;

const POLICY: &str = r#"
allow = ["quay.io/**"]
users = ["root"]
askers = 2
window = "36h"
quiet = ["00:00-24:00"]
space = {max = "2T"}
[registries."quay.io"]
per-hour = 20
"#;

fn policy(text: &str) -> Policy {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fill.toml");
    fs::write(&path, text).unwrap();
    Policy::load(&path).unwrap()
}

fn answer(image: &str, user: Option<&str>) -> String {
    let reference = Reference::parse(image.as_bytes()).unwrap();
    let policy = policy(POLICY);
    let verdict = verdict(&policy, &reference, user).unwrap();
    text(&object(&policy, Path::new("/none"), &reference, user, &verdict))
}

#[test]
fn the_answer_has_the_rule_and_the_limits() {
    let expected = "\
quay.io/o/i:1: allowed
  rule         allow has quay.io/**
  users        2 must ask within 36 h
  rate         20 per hour from this registry, 2 at a time
  size         at most 50.00 GiB
  quiet        00:00-24:00, now
  space        the file system does not answer; above 90% or 2.00 TiB of images, \
images unused for 30 d are removed, down to 80%
";
    assert_eq!(answer("quay.io/o/i:1", None), expected);
    let one = answer("quay.io/o/i:1", Some("root"));
    assert!(one.starts_with("quay.io/o/i:1: not-yet: 1 of 2 users asked for it\n"), "{one}");
    let other = answer("o/i", None);
    assert!(other.starts_with("docker.io/o/i:latest: refused: no pattern in allow"), "{other}");
    assert!(!other.contains("rule") && other.contains("no limit per hour"), "{other}");
}

#[test]
fn the_json_object_has_the_same_facts() {
    let reference = Reference::parse(b"quay.io/o/i:1").unwrap();
    let policy = policy(POLICY);
    let verdict = verdict(&policy, &reference, Some("root")).unwrap();
    let object = object(&policy, Path::new("/none"), &reference, Some("root"), &verdict);
    let expected = json!({
        "reference": "quay.io/o/i:1", "verdict": "not-yet", "reason": "1 of 2 users asked for it",
        "rule": "quay.io/**", "user": "root", "askers": 2, "window_seconds": 129_600,
        "per_hour": 20, "parallel": 2, "max_size": 50_u64 << 30, "quiet": ["00:00-24:00"],
        "quiet_now": true, "keep_days": 30,
        "space": {"used": null, "total": null, "high": "90%", "low": "80%", "max": 2_u64 << 40},
    });
    assert_eq!(serde_json::to_value(&object).unwrap(), expected);
}

#[test]
fn the_exit_status_is_the_answer() {
    let policy = policy(POLICY);
    let run = |image: &str, user| {
        let reference = Reference::parse(image.as_bytes()).unwrap();
        check(&policy, Path::new("/"), &reference, user, true)
    };
    assert_eq!(run("quay.io/o/i", None).unwrap(), Exit::OK);
    assert_eq!(run("quay.io/o/i", Some("root")).unwrap(), Exit::PROBLEMS);
    assert_eq!(run("o/i", None).unwrap(), Exit::PROBLEMS);
    let failure = run("quay.io/o/i", Some("no:such")).unwrap_err();
    assert!(matches!(failure, Failure::NoUser(_)), "{failure}");
    assert_eq!(failure.exit(), Exit::USAGE);
}

#[test]
fn durations_have_the_largest_unit_that_fits() {
    let formatted = [604_800, 129_600, 300, 61].map(duration);
    assert_eq!(formatted, ["7 d", "36 h", "5 min", "61 s"]);
}
