//! `sifcache report`: its figures, compared with what jobs did on a real cluster.

use crate::kit::{IMAGE, NODES, OTHER, Output, SHARED, Site};
use serde_json::{Value, json};
use std::fs;

/// The nodes that run jobs here, and copies of their logs on the login node.
const LOGS: [(&str, &str); 2] = [("n1", "/home/n1.log"), ("n2", "/home/n2.log")];

/// Copies the new part of the nodes' logs to files on the login node.
fn gather(site: &Site) {
    for (node, path) in LOGS {
        fs::write(site.at("ctl", path), site.log(node)).unwrap();
    }
}

/// Runs `sifcache report` on the login node.
fn report(site: &Site, flags: &[&str], words: &[&str]) -> Output {
    let logs = LOGS.map(|(_, path)| path);
    let output =
        site.exec(flags, &[&["sifcache", "report"], words, &["--log"], &logs].concat(), "");
    assert_eq!(output.status, 0, "{output:#?}");
    output
}

fn object(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap()
}

/// The rows of a section, each with the value of this key.
fn by<'a>(rows: &'a Value, key: &str) -> Vec<(&'a str, &'a Value)> {
    rows.as_array().unwrap().iter().map(|row| (row[key].as_str().unwrap(), row)).collect()
}

fn commands(launches: u64, pulls: u64) -> Value {
    json!({"launches": launches, "pulls": pulls, "builds": 0})
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_figures_are_those_of_the_jobs() {
    let site = Site::new("");
    let path = site.store(IMAGE, "o/i:1");
    site.store(OTHER, "o/unused:1");
    let size = fs::metadata(path).unwrap().len();
    let run = |user: &str, flags: &[&str], image: &str| {
        let words = [&["srun"], flags, &["apptainer", "exec", image, "true"]].concat();
        site.exec(&["--user", user], &words, "").status
    };
    // Hits: 3 launches on n1, 1 on n2, and 1 launch and 1 pull in a script on n2.
    assert_eq!(run("alice", &["-wn1", "-n3"], "docker://o/i:1"), 0);
    assert_eq!(run("bob", &["-wn2"], "docker://o/i:1"), 0);
    site.sbatch(
        &["-wn2"],
        "apptainer exec docker://o/i:1 true; apptainer pull --force mine.sif docker://o/i:1",
    );
    // Misses: 2 launches on n1, 1 on n2.
    assert_ne!(run("alice", &["-wn1", "-n2"], "docker://o/missing:1"), 0);
    assert_ne!(run("bob", &["-wn2"], "docker://o/missing:1"), 0);
    site.logged("n1", "event=miss");
    site.logged("n2", "event=miss");
    site.logged("n2", "via=pull");
    let today = site.exec(&[], &["date", "+%F"], "").stdout;
    gather(&site);
    let report = object(&report(&site, &[], &["--json", "--since", "1d", "--unused-for", "0d"]));
    let totals = &report["totals"]["data"];
    assert_eq!((&totals["hits"], &totals["misses"]), (&commands(5, 1), &commands(3, 0)));
    // alice's job, bob's job and the batch job, and a job of each for the misses.
    assert_eq!((&totals["jobs"], &totals["users"]), (&json!(5), &json!(2)));
    assert_eq!(totals["saved"], json!({"bytes": 6 * size, "unknown": 0}));
    assert_eq!(totals["saved_once_per_user"], 2 * size);
    let days = report["days"]["data"].as_array().unwrap();
    let day = days.last().unwrap();
    assert_eq!(day["day"], today.trim_end());
    assert_eq!((&day["hits"], &day["misses"]), (&commands(5, 1), &commands(3, 0)), "{days:#?}");
    assert_eq!(day["saved"]["bytes"], 6 * size);
    let node =
        |row: &Value| (row["hits"].clone(), row["misses"].clone(), row["partitions"].clone());
    let nodes: Vec<_> = by(&report["nodes"]["data"], "node")
        .into_iter()
        .map(|(name, row)| (name, node(row)))
        .collect();
    let all = json!(["all"]);
    let expected = [
        ("n1", (commands(3, 0), commands(2, 0), all.clone())),
        ("n2", (commands(2, 1), commands(1, 0), all)),
    ];
    assert_eq!(nodes, expected);
    let partitions = by(&report["partitions"]["data"], "partition");
    let [("all", row)] = partitions[..] else { panic!("{partitions:#?}") };
    assert_eq!(row["nodes"], NODES.len());
    assert_eq!(
        (&row["nodes_in_logs"], &row["hits"], &row["misses"]),
        (&json!(2), &commands(5, 1), &commands(3, 0))
    );
    let [image] = &report["images"]["data"]["rows"].as_array().unwrap()[..] else {
        panic!("{:#}", report["images"])
    };
    assert_eq!(image["path"], format!("{SHARED}/o/i:1"));
    assert_eq!((&image["size"], &image["users"]), (&json!(size), &json!(2)));
    let misses = &report["misses"]["data"];
    assert_eq!(misses["list"]["rows"][0]["command"], "sifcache add o/missing:1");
    let unused = by(&report["unused"]["data"]["list"]["rows"], "reference");
    assert!(unused.iter().any(|(name, _)| *name == "o/unused:1"), "{unused:#?}");
    let hits = site.exec(
        &[],
        &["sifcache", "hits", "--json", "--no-save", "--log", LOGS[0].1, LOGS[1].1],
        "",
    );
    assert_eq!(image["last_served"], object(&hits)["hits"][0]["last"]);
}

/// A problem on a node shows in the report of the login node, and its command fixes it.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_problem_is_fixed_by_its_command() {
    let site = Site::new("");
    let path = site.store(IMAGE, "o/i:1");
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    site.launch(&[], "docker://o/i:1").tried_the_registry();
    site.logged("n1", "why=untrusted");
    site.logged("n1", "event=miss");
    fs::write(site.at("ctl", LOGS[1].1), site.log("n2")).unwrap();
    gather(&site);
    let found = object(&report(&site, &[], &["--json"]));
    let image = format!("{SHARED}/o/i:1");
    let problems = by(&found["problems"]["data"], "subject");
    let (_, problem) = problems.iter().find(|(subject, _)| *subject == image).unwrap();
    assert_eq!(problem["kind"], "untrusted");
    assert_eq!(found["misses"]["data"]["list"]["rows"][0]["reasons"][0]["why"], "untrusted");
    let command = problem["command"].as_str().unwrap();
    let output = site.exec(&[], &["bash", "-c", command], "");
    assert!(output.stdout.contains("fixed"), "{command}: {output:#?}");
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
    let after = object(&report(&site, &[], &["--json"]));
    assert!(by(&after["problems"]["data"], "subject").iter().all(|(subject, _)| *subject != image));
    assert_eq!(after["misses"]["data"]["added_since"], 1);
}

/// Users may run it, too: on the page are no names of users, and nothing is changed.
#[test]
#[ignore = "needs a testbed: make test"]
fn users_get_a_page() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
    site.logged("n1", "event=hit");
    gather(&site);
    report(&site, &["--user", "alice"], &["--html", "/home/alice/report.html"]);
    let page = fs::read_to_string(site.at("ctl", "/home/alice/report.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    assert!(!page.contains("alice"), "{page}");
    let denied = ["sifcache", "report", "--html", "/shared/sif/report.html", "--log", LOGS[0].1];
    let output = site.exec(&["--user", "alice"], &denied, "");
    assert_eq!(output.status, 77, "{output:#?}");
    assert!(!site.at("ctl", SHARED).join("report.html").exists());
}
