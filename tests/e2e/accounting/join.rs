//! The command of `docs/accounting.md` that joins the log lines with Slurm's accounting.

use super::cluster::Cluster;
use super::page::Page;
use std::fs;
use std::time::{Duration, Instant};

/// The lines of the code block that has this text in it, without the indentation.
fn snippet(text: &str) -> String {
    let page = fs::read_to_string(Page::path()).unwrap();
    let blocks = page.split("\n\n").filter(|block| block.lines().all(|l| l.starts_with("    ")));
    let mut blocks = blocks.filter(|block| block.contains(text));
    let block = blocks.next().unwrap_or_else(|| panic!("docs/accounting.md has no '{text}'"));
    block.lines().map(|line| line.trim_start_matches("    ").to_owned() + "\n").collect()
}

/// Runs the command of the page, with the log of the only node.
pub(super) fn as_documented(cluster: &Cluster) {
    let launch = "apptainer exec docker://o/i:1 true";
    let script = format!("srun {launch}\n{launch}\nsrun apptainer exec docker://o/none:1 true\n");
    let wrap = ["sbatch", "--parsable", "--array=7", "--output=/dev/null", "--wrap", &script];
    let job = cluster.exec("alice", &wrap).stdout.trim_end().to_owned();
    cluster.ended(&job);
    let log = cluster.root("n1").join("var/log/syslog");
    let limit = Instant::now() + Duration::from_secs(20);
    let lines = || fs::read_to_string(&log).unwrap_or_default();
    let is_complete = |text: &str| {
        let of_job = format!(" job={job} ");
        text.lines().filter(|line| line.contains(&of_job)).count() >= 3
    };
    while !is_complete(&lines()) {
        assert!(Instant::now() < limit, "{}", lines());
        std::thread::sleep(Duration::from_millis(50));
    }
    let copy = cluster.root("ctl").join("var/log/slurm-nodes.log");
    // A line that a user has forged, for a job that does not exist.
    let forged =
        " sifcache: event=hit job=99999999 step=0 uid=1 reference=docker.io/o/i:1 image=/s\n";
    fs::write(copy, lines() + forged).unwrap();
    let command =
        snippet("join -t").replace("/var/log/central/slurm-nodes.log", "/var/log/slurm-nodes.log");
    let prefix = format!("{job}.");
    let starts = [
        format!("{job}.0|hit|docker.io/o/i:1|{job}_7.0|"),
        format!("{job}.1|miss|docker.io/o/none:1|{job}_7.1|"),
        format!("{job}.batch|hit|docker.io/o/i:1|{job}_7.batch|"),
    ];
    // sacct of 22.05 lists a job without --jobs only some seconds after its start.
    let mut output = cluster.exec("root", &["bash", "-c", &command]);
    while output.stdout.matches(&prefix).count() < starts.len() && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(200));
        output = cluster.exec("root", &["bash", "-c", &command]);
    }
    let found: Vec<&str> = output.stdout.lines().filter(|line| line.starts_with(&prefix)).collect();
    assert_eq!(found.len(), starts.len(), "{output:#?} {}", lines());
    for (line, start) in found.iter().zip(&starts) {
        assert!(line.starts_with(start), "{line} does not start with {start}");
        assert!(line.split('|').count() == 7, "{line}");
    }
    assert!(!output.stdout.contains("99999999"), "{output:#?}");
}
