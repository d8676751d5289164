//! `sifcache misses` and `sifcache hits`, from the lines that jobs left in the logs.

use super::{done, objects};
use crate::kit::journal::Journal;
use crate::kit::{IMAGE, OTHER, SHARED, Site};
use sifcache_core::reference::Reference;

const LOGS: [&str; 2] = ["/home/n1.log", "/home/n2.log"];

/// Copies the new part of both nodes' logs to files on the login node.
fn gather(site: &Site) {
    for (host, path) in ["n1", "n2"].iter().zip(LOGS) {
        std::fs::write(site.at("ctl", path), site.log(host)).unwrap();
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn misses_and_hits_of_jobs() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    site.store(OTHER, "o/half:1");
    let half = site.at("ctl", SHARED).join("o/half:1");
    std::fs::File::options().write(true).open(half).unwrap().set_len(5_000).unwrap();
    let run = |user: &str, flags: &[&str], image: &str| {
        let words = [&["srun"], flags, &["apptainer", "exec", image, "true"]].concat();
        site.exec(&["--user", user], &words, "");
    };
    run("alice", &["-wn1", "-n3"], "docker://o/i:1");
    run("bob", &["-wn2"], "docker://o/i:1");
    run("alice", &["-N2"], "docker://o/missing:1");
    run("bob", &["-wn1"], "docker://docker.io/o/missing:1");
    run("alice", &["-wn1"], "docker://o/half:1");
    site.sbatch(
        &["-wn2"],
        "apptainer exec docker://ubuntu:22.04 true; apptainer exec docker://ubuntu:22.04 true",
    );
    site.exec(
        &["--on", "n1"],
        &["logger", "-t", "sifcache", "event=miss uid=7 reference=../../etc/passwd"],
        "",
    );
    site.exec(
        &["--on", "n1"],
        &["logger", "-t", "other", "sifcache: event=miss uid=7 reference=docker.io/o/x:1"],
        "",
    );
    site.logged("n1", "etc/passwd");
    site.logged("n2", "ubuntu");
    gather(&site);
    let words = [&["misses", "--json", "--log"], &LOGS[..]].concat();
    let [object] = objects(&done(&site, &words)).try_into().unwrap();
    let rows: Vec<(String, u64, u64, u64)> = object["misses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let number = |key: &str| row[key].as_u64().unwrap();
            let reference = row["reference"].as_str().unwrap().to_owned();
            (reference, number("launches"), number("jobs"), number("users"))
        })
        .collect();
    let row = |name: &str, launches, jobs, users| (name.to_owned(), launches, jobs, users);
    let expected =
        [row("o/missing:1", 3, 2, 2), row("ubuntu:22.04", 2, 1, 1), row("o/half:1", 1, 1, 1)];
    assert_eq!(rows, expected, "{object:#}");
    let refused = &object["misses"][2]["refused"][0];
    assert_eq!(
        (&refused["path"], &refused["reason"]),
        (&"/shared/sif/o/half:1".into(), &"truncated".into())
    );
    let words = [&["hits", "--json", "--log"], &LOGS[..]].concat();
    let [object] = objects(&done(&site, &words)).try_into().unwrap();
    let hit = &object["hits"][0];
    assert_eq!(object["hits"].as_array().unwrap().len(), 1, "{object:#}");
    assert_eq!(
        (&hit["image"], &hit["launches"], &hit["users"]),
        (&"/shared/sif/o/i:1".into(), &4.into(), &2.into())
    );
    assert_eq!(object["saved"], true);
    let list = done(&site, &["list", "--json"]);
    assert_eq!(objects(&list)[0]["images"][0]["last_used"], hit["last"]);
}

/// The list of misses is used as the input of `add`. An image that was added in the meantime is not
/// on the list.
#[test]
#[ignore = "needs a testbed: make test"]
fn from_misses_to_add() {
    let site = Site::new("");
    let missed = |image: &str| site.launch(&[], &format!("docker://{image}")).tried_the_registry();
    missed(IMAGE);
    missed("library/alpine:3.20");
    missed("library/busybox");
    site.store(OTHER, "busybox:latest");
    site.logged("n1", "reference=docker.io/library/busybox:latest");
    gather(&site);
    let refs = done(&site, &["misses", "--refs", "--log", LOGS[0]]).stdout;
    for line in refs.lines() {
        assert!(Reference::parse(line.as_bytes()).is_ok(), "{line}");
    }
    assert_eq!(refs, format!("alpine:3.20\n{IMAGE}\n"));
    let added = crate::kit::with_hub(|| site.exec(&[], &["sifcache", "add", "--from", "-"], &refs));
    assert_eq!(added.status, 0, "{added:#?}");
    site.launch(&[], &format!("docker://{IMAGE}")).ran(IMAGE);
    let output = done(&site, &["misses", "--log", LOGS[0]]);
    assert!(
        output.stdout.starts_with("no miss was found\n3 more are in the cache now"),
        "{output:#?}"
    );
}

/// Without --log, the command reads the node's own log.
#[test]
#[ignore = "needs a testbed: make test"]
fn on_the_node_itself() {
    let site = Site::new("");
    // The node's log still contains lines from earlier test runs.
    let image = format!("o/on-node:{}", std::process::id());
    site.launch(&[], &format!("docker://{image}")).tried_the_registry();
    site.logged("n1", &image);
    let output = site.exec(&["--on", "n1"], &["sifcache", "misses", "--since", "1h", "--refs"], "");
    assert_eq!(output.status, 0, "{output:#?}");
    assert!(output.stdout.contains(&image), "{output:#?}");
    let output = site.exec(&["--on", "n1"], &["sifcache", "misses", "--until", "1h", "--refs"], "");
    assert!(!output.stdout.contains(&image), "{output:#?}");
}

/// The same if the log is kept by journald.
#[test]
#[ignore = "needs a testbed: make test"]
fn from_the_journal_of_a_node() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let _journal = Journal::start("n1");
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
    site.launch(&[], "docker://o/in-journal:1").tried_the_registry();
    let on_n1 = |words: &[&str]| site.exec(&["--on", "n1"], words, "");
    // journald stores messages with a short delay.
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(5);
    let misses = loop {
        let output = on_n1(&["sifcache", "misses"]);
        if output.stdout.contains("o/in-journal:1") || std::time::Instant::now() > limit {
            break output;
        }
    };
    assert_eq!(misses.status, 0, "{misses:#?}");
    assert!(misses.stdout.contains("o/in-journal:1"), "{misses:#?}");
    assert!(misses.stdout.contains("read: the journal: "), "{misses:#?}");
    let hits = on_n1(&["sifcache", "hits", "--json"]);
    let [object] = objects(&hits).try_into().unwrap();
    assert_eq!(object["hits"][0]["image"], "/shared/sif/o/i:1", "{object:#}");
    // The command also accepts the output of journalctl as a log.
    let entries = on_n1(&["journalctl", "--output=json", "--no-pager"]).stdout;
    let output = site.exec(&[], &["sifcache", "misses", "--refs", "--log", "-"], &entries);
    assert_eq!(output.stdout, "o/in-journal:1\n", "{output:#?}");
}
