//! `sifcache explain` where it is used: on a node, with the site's settings.

use crate::kit::{IMAGE, SHARED, Site};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

fn explain(site: &Site, words: &[&str]) -> (i32, Value) {
    let output = site.alice(&[&["sifcache", "explain", "--json", "--"], words].concat());
    (output.status, serde_json::from_str(&output.stdout).unwrap_or(Value::Null))
}

/// The explanation agrees with the result of the launch.
#[test]
#[ignore = "needs a testbed: make test"]
fn agrees_with_the_plugin() {
    let site = Site::new("");
    let path = site.store(IMAGE, "o/i:1");
    let words = ["apptainer", "exec", "docker://o/i:1", "cat", "/etc/image-name"];
    let run = |expected: &str, status| {
        let (exit, object) = explain(&site, &words);
        assert_eq!((&object["decision"], exit), (&json!(expected), status), "{object:#}");
        let output = site.srun(&words);
        if expected == "hit" { output.ran(IMAGE) } else { output.tried_the_registry() }
    };
    run("hit", 0);
    // Runs as alice, who may not read the file; root could.
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    run("miss", 1);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(site.at("ctl", SHARED), Permissions::from_mode(0o777)).unwrap();
    run("miss", 1);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_object_is_as_documented() {
    let site = Site::new("");
    site.store(IMAGE, "ubuntu:latest");
    let (status, object) = explain(&site, &["/usr/bin/singularity", "run", "docker://ubuntu", "a"]);
    let path = |name: &str, state: &str| json!({"path": name, "state": state});
    assert_eq!(status, 0);
    assert_eq!(
        object,
        json!({
            "decision": "hit",
            "reason": "image-found",
            "kind": "launch",
            "image_index": 2,
            "image": "docker://ubuntu",
            "reference": {
                "registry": "docker.io", "repository": "library/ubuntu", "tag": "latest", "digest": null
            },
            "candidates": [
                path("/local/sif/ubuntu", "absent"),
                path("/local/sif/ubuntu.sif", "absent"),
                path("/local/sif/ubuntu:latest", "absent"),
                path("/local/sif/ubuntu:latest.sif", "absent"),
                path("/local/sif/docker.io/library/ubuntu:latest", "absent"),
                path("/local/sif/docker.io/library/ubuntu:latest.sif", "absent"),
                path("/shared/sif/ubuntu", "absent"),
                path("/shared/sif/ubuntu.sif", "absent"),
                path("/shared/sif/ubuntu:latest", "image"),
                path("/shared/sif/ubuntu:latest.sif", "not-tried"),
                path("/shared/sif/docker.io/library/ubuntu:latest", "not-tried"),
                path("/shared/sif/docker.io/library/ubuntu:latest.sif", "not-tried"),
            ],
            "argv": ["/usr/bin/singularity", "run", "/shared/sif/ubuntu:latest", "a"],
            "started_by": [],
            "notes": [],
        })
    );
    let (status, object) = explain(&site, &["true"]);
    assert_eq!(status, 2);
    assert_eq!(
        object,
        json!({
            "decision": "pass", "reason": "not-a-runtime", "kind": null, "image_index": null, "image": null,
            "reference": null, "candidates": [], "argv": ["true"], "started_by": [],
            "notes": [],
        })
    );
}
