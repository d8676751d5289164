//! `sifcache stage`: copies on the nodes' own disks, on a cluster of three nodes.

mod interrupted;
mod nodes;
mod refused;

use crate::kit::{IMAGE, LOCAL, NODES, OTHER, Output, SHARED, Site, inside, program, tree};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// The recorded digest of the reference.
const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
/// A directory at the front of the admin's PATH, for scripts that replace Slurm's commands.
const STAND_INS: &str = "/root/stand-ins";

/// Runs `sifcache stage WORDS` as root on the login node.
fn stage(site: &Site, words: &[&str]) -> Output {
    let path = format!("PATH={STAND_INS}:/usr/local/bin:/usr/bin:/bin");
    site.exec(&["--env", &path], &[&["sifcache", "stage"], words].concat(), "")
}

/// A site with one image in the shared root, `o/i:1`, where no command is replaced.
fn site() -> Site {
    let site = Site::new("");
    let directory = site.at("ctl", STAND_INS);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let words = ["sifcache", "import", "--digest", DIGEST, &inside(IMAGE), "o/i:1"];
    let output = site.exec(&[], &words, "");
    assert_eq!(output.status, 0, "{output:#?}");
    await_nodes(&site);
    site
}

/// Waits until all nodes respond. On a busy machine, slurmctld regards a node as silent now and then,
/// and `stage` leaves out such a node.
fn await_nodes(site: &Site) {
    let responding = ["sinfo", "-h", "--responding", "-N", "-o", "%N"];
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let nodes = site.exec(&[], &responding, "").stdout;
        if NODES.iter().all(|node| nodes.lines().any(|line| line.trim() == *node)) {
            return;
        }
        assert!(Instant::now() < limit, "not all nodes respond: {nodes}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Installs a script that replaces sbcast, and that can call the real sbcast as `real_sbcast`. The
/// script gets the arguments of sbcast, of which the last two are the file and its destination.
fn sbcast(site: &Site, script: &str) {
    let text = format!(
        "#!/bin/bash\nreal_sbcast() {{ /usr/bin/sbcast \"$@\"; }}\n\
         echo \"$@\" >>/root/stand-ins/calls\n{script}\n"
    );
    program(&site.at("ctl", STAND_INS).join("sbcast"), &text);
}

/// How often the replacement of sbcast was called.
fn broadcasts(site: &Site) -> usize {
    let calls = fs::read_to_string(site.at("ctl", STAND_INS).join("calls")).unwrap_or_default();
    calls.lines().count()
}

/// The images on a node, after a check of the whole image root.
#[track_caller]
fn on(site: &Site, node: &str) -> Vec<String> {
    let root = site.at(node, LOCAL);
    let names = tree::check(&root);
    tree::is_clean(&root);
    names
}

/// Asserts that no job is left.
#[track_caller]
fn no_job(site: &Site) {
    let script = "for i in $(seq 100); do squeue -h | grep -q . || exit 0; sleep 0.1; done; squeue";
    let output = site.exec(&[], &["sh", "-c", script], "");
    assert_eq!((output.status, output.stdout.as_str()), (0, ""), "{output:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn jobs_use_the_local_copy() {
    let site = site();
    let output = stage(&site, &["--nodes", "n[1-2]", "o/i:1"]);
    assert_eq!(output.status, 0, "{output:#?}");
    let mut lines: Vec<&str> = output.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 2, "{output:#?}");
    for (line, node) in lines.iter().zip(["n1", "n2"]) {
        let expected = format!("staged       {node}  o/i:1  {LOCAL}/o/i:1  1.08 MiB in ");
        assert!(line.starts_with(&expected), "{line}");
    }
    let pinned = format!("o/i@{DIGEST}");
    for node in ["n1", "n2"] {
        assert_eq!(on(&site, node), ["o/i:1", &pinned]);
    }
    assert!(on(&site, "n3").is_empty());
    no_job(&site);
    for (node, root) in [("n1", LOCAL), ("n2", LOCAL), ("n3", SHARED)] {
        site.launch(&["-w", node], "docker://o/i:1").ran(IMAGE);
        site.logged(node, &format!("image={root}/o/i:1"));
        site.launch(&["-w", node], &format!("docker://{pinned}")).ran(IMAGE);
        site.logged(node, &format!("image={root}/{pinned}"));
    }
    // The node has the same record of the image.
    let record = |host: &str, root: &str| -> Value {
        let path = site.at(host, root).join(".sifcache/metadata/o/i:1.json");
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let (shared, local) = (record("ctl", SHARED), record("n1", LOCAL));
    for key in ["reference", "source", "digests", "sha256", "size", "architecture"] {
        assert_eq!(shared[key], local[key], "{key}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn only_missing_images_are_sent_to_nodes_that_lack_them() {
    let site = site();
    sbcast(&site, "real_sbcast \"$@\"");
    let inode = |node: &str| fs::metadata(site.at(node, LOCAL).join("o/i:1")).unwrap().ino();
    assert_eq!(stage(&site, &["-w", "n1,n3", "o/i:1"]).status, 0);
    assert_eq!(broadcasts(&site), 1);
    let before = inode("n1");
    let output = stage(&site, &["-w", "n1,n3", "docker://o/i:1"]);
    assert_eq!((output.status, output.stdout.matches("present").count()), (0, 2), "{output:#?}");
    assert_eq!(broadcasts(&site), 1);
    let output = stage(&site, &["--partition", "all", "--dry-run", "o/i:1"]);
    assert_eq!(output.stdout.matches("would stage  n2  o/i:1").count(), 1, "{output:#?}");
    assert!(on(&site, "n2").is_empty());
    let output = stage(&site, &["--partition", "all", "o/i:1"]);
    assert_eq!((output.status, output.stdout.matches("present").count()), (0, 2), "{output:#?}");
    assert!(output.stdout.contains("staged       n2  o/i:1"), "{output:#?}");
    assert_eq!((broadcasts(&site), inode("n1")), (2, before));
    // The tag in the shared root gets another image.
    let words = ["sifcache", "import", "--force", &inside(OTHER), "o/i:1"];
    assert_eq!(site.exec(&[], &words, "").status, 0);
    assert_eq!(stage(&site, &["--partition", "all", "o/i:1"]).status, 0);
    site.launch(&["-w", "n1"], "docker://o/i:1").ran(OTHER);
    site.logged("n1", &format!("image={LOCAL}/o/i:1"));
    assert_ne!(inode("n1"), before);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn objects_and_lists_are_as_documented() {
    let site = site();
    site.store_at("n3", LOCAL, OTHER, "o/own:1");
    let output = stage(&site, &["--json", "-w", "n1", "o/i:1"]);
    let mut object: Value = serde_json::from_str(&output.stdout).unwrap();
    assert!(object["seconds"].as_f64().unwrap() > 0.0);
    object["seconds"] = json!(0);
    let size = fs::metadata(site.at("ctl", SHARED).join("o/i:1")).unwrap().len();
    let expected = json!({"node": "n1", "reference": "o/i:1", "status": "staged",
        "path": "/local/sif/o/i:1", "size": size, "seconds": 0, "error": null});
    assert_eq!(object, expected);
    assert_eq!(stage(&site, &["-w", "n2", "o/i:1"]).status, 0);
    // Ordinary users may list the copies.
    let words = ["sifcache", "stage", "--list", "--partition", "all", "--json"];
    let output = site.alice(&words);
    let list: Value = serde_json::from_str(&output.stdout).unwrap();
    let own = fs::metadata(site.at("n3", LOCAL).join("o/own:1")).unwrap().len();
    let sha256 = tree::sha256(&site.at("n1", LOCAL).join("o/i:1"));
    let expected = json!({"root": "/local/sif", "nodes": ["n1", "n2", "n3"], "failed": [],
    "images": [
        {"reference": "o/i:1", "size": size, "sha256": sha256, "state": "current",
            "nodes": ["n1", "n2"]},
        {"reference": "o/own:1", "size": own, "sha256": null, "state": "local-only",
            "nodes": ["n3"]},
    ]});
    assert_eq!(list, expected);
    let output = stage(&site, &["--list", "-p", "all", "o/i:1", "o/i:2"]);
    let lines: Vec<Vec<&str>> =
        output.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["REFERENCE", "SIZE", "STATE", "NODES"]);
    assert_eq!(lines[1], ["o/i:1", "1.08", "MiB", "current", "n[1-2]"]);
    assert_eq!(lines[2], ["o/i:2", "-", "-", "none"]);
    assert_eq!(output.stdout.lines().last(), Some("1 image under /local/sif of n[1-3]"));
}
