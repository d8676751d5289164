//! Faults injected on the testbed; `docs/evidence/faults.md` lists the result of each.
//!
//! Each fault is tested with the same command without the plugin and with it, while the registry is
//! up, so that the command works without the plugin. A job that runs without the plugin must not
//! fail with it, slurmstepd must not hang because of it, and no node may be drained.

mod aborted;
mod control_groups;
mod file_system;
mod hanging;
mod images;
mod limits;
mod mounted;
mod plugins;
mod requests;
mod second_plugin;
mod signals;
mod slurm;
mod syslog;
mod table;
mod task_environment;
mod users;
mod waiting;

use crate::kit::registry::move_tag;
use crate::kit::{IMAGE, NODES, Output, SHARED, Site, WHICH, with_hub};
use std::collections::BTreeSet;
use table::{Found, compare, ended};

/// A plugstack.conf without the plugin.
const WITHOUT: &str = "# nothing\n";

/// A plugstack.conf with the plugin, for the shared image root.
fn with() -> String {
    of_root(SHARED)
}

fn of_root(root: &str) -> String {
    format!("optional spank_sifcache.so image_root={root}\n")
}

/// A plugstack.conf with the plugin, with these settings after the image root.
fn of_root_with(root: &str, settings: &str) -> String {
    format!("{} {settings}\n", of_root(root).trim_end())
}

/// The reference of the image in these tests. A short name keeps the rows of the table short.
const NAME: &str = "o/i:1";

/// Runs `work` while the registry is up and serves [`NAME`].
fn with_registry<T>(work: impl FnOnce() -> T) -> T {
    with_hub(|| {
        move_tag(IMAGE, NAME);
        work()
    })
}

/// The launch that most faults are tested with.
fn launch(site: &Site) -> Output {
    site.launch(&[], &format!("docker://{NAME}"))
}

/// Runs `command` without the plugin and with `line`, compares both results with the table, and
/// checks that the nodes are unharmed.
#[track_caller]
fn meets(site: &Site, fault: &str, line: &str, command: impl Fn(&Site) -> Output) {
    compare(fault, &both(site, [WITHOUT, line], command));
    unharmed(site);
}

/// Runs `command` with two versions of plugstack.conf, one without the plugin and one with it, and
/// asserts that both runs end the same way.
#[track_caller]
fn both(site: &Site, lines: [&str; 2], command: impl Fn(&Site) -> Output) -> Found {
    let [without, with] = lines;
    site.plugstack(without);
    let without = command(site);
    let before = seen(site);
    site.plugstack(with);
    let with = command(site);
    assert_eq!(as_asked(&with), as_asked(&without), "{with:#?}");
    let log = settled(site, &before);
    Found {
        without: ended(&without),
        with: format!("{}{}", ended(&with), outcome(&log)),
        user: ours(&with.stderr) + slurms(&with.stderr),
        admin: ours(&log),
    }
}

/// The exit status and standard output, with the image's path replaced by the reference, because a
/// fake runtime prints the arguments that it received.
fn as_asked(output: &Output) -> (i32, String) {
    let path = format!("{SHARED}/{NAME}");
    (output.status, output.stdout.replace(&path, &format!("docker://{NAME}")))
}

/// Whether Slurm itself prints a message about plugstack.conf.
fn slurms(stderr: &str) -> &'static str {
    if stderr.contains("srun: error: spank: ") { "`spank: …` from Slurm itself" } else { "" }
}

/// Like [`meets`], for several cases that share one row. The row gives the number of cases that ran
/// without the plugin. The test asserts that exactly the same cases run with it. `lines` returns
/// the two versions of plugstack.conf for a case.
#[track_caller]
fn meets_each<T: std::fmt::Debug>(
    site: &Site,
    fault: &str,
    cases: &[T],
    lines: impl Fn(&T) -> [String; 2],
    command: impl Fn(&Site, &T) -> Output,
) {
    let before = seen(site);
    let (mut ran, mut user) = (0, BTreeSet::new());
    for case in cases {
        let [without, with] = lines(case).map(|line| {
            site.plugstack(&line);
            command(site, case)
        });
        assert_eq!(as_asked(&with), as_asked(&without), "{case:?}: {with:#?} {without:#?}");
        ran += usize::from(without.status == 0);
        user.extend(self::ours(&with.stderr).lines().map(str::to_owned));
    }
    let all = cases.len();
    let found = Found {
        without: format!("{ran} of {all} run"),
        with: format!("the same {ran} run"),
        user: user.into_iter().collect::<Vec<_>>().join("\n"),
        admin: ours(&settled(site, &before)),
    };
    compare(fault, &found);
    unharmed(site);
}

/// The lines that n1 has logged so far.
fn seen(site: &Site) -> BTreeSet<String> {
    site.log("n1").lines().map(str::to_owned).collect()
}

/// The lines that n1 has logged since `before`, read as soon as syslog has the line of the launch.
/// In case there is no launch, the test sends a final message, which arrives after all earlier
/// ones.
fn settled(site: &Site, before: &BTreeSet<String>) -> String {
    let log = || {
        let all = site.log("n1");
        let new = all.lines().filter(|line| !before.contains(*line));
        new.map(|line| format!("{line}\n")).collect::<String>()
    };
    let last = format!("last-message-{}", before.len());
    site.exec(&["--on", "n1"], &["timeout", "2", "logger", &last], "");
    for _ in 0..100 {
        if log().contains("sifcache: event=") || log().contains(&last) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    log()
}

fn outcome(log: &str) -> &'static str {
    match (log.contains("event=hit"), log.contains("event=miss")) {
        (true, _) => ", a hit",
        (_, true) => ", a miss",
        _ => "",
    }
}

/// The plugin's lines, without the fields that differ between two jobs.
fn ours(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let Some((_, message)) = line.split_once("sifcache: ") else { continue };
        let of_job = ["job=", "step=", "node=", "tasks=", "uid="];
        let words =
            message.split(' ').filter(|word| !of_job.iter().any(|key| word.starts_with(key)));
        let line = format!("`{}`", words.collect::<Vec<_>>().join(" "));
        // slurmstepd's log file and syslog may contain these lines in a different order.
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.sort_by_key(|line| line.starts_with("`event="));
    lines.join("\n")
}

/// Asserts that no node is drained and that no slurmstepd is left on any node.
#[track_caller]
fn unharmed(site: &Site) {
    let reasons = site.exec(&[], &["sinfo", "-h", "-R"], "");
    assert_eq!(reasons.stdout, "", "{reasons:#?}");
    for node in NODES {
        site.idle(node);
        let wait = "for n in $(seq 250); do pgrep -x slurmstepd >/dev/null || exit 0; sleep 0.02; done; exit 1";
        let left = site.exec(&["--on", node], &["bash", "-c", wait], "");
        assert_eq!(left.status, 0, "slurmstepd is still running on {node}");
    }
}

/// Runs a script as root on n1, and returns its standard output.
#[track_caller]
fn on_n1(site: &Site, script: &str) -> String {
    let output = site.exec(&["--on", "n1"], &["bash", "-c", script], "");
    assert_eq!(output.status, 0, "{output:#?}");
    output.stdout
}

/// [`launch`] with the path of an image instead of the reference.
fn typed(site: &Site, path: &str) -> Output {
    site.srun(&[&["-w", "n1", "apptainer", "exec", path], &WHICH[..]].concat())
}
