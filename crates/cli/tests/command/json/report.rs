//! The object of `report`: a site with everything that it can show, and one with nothing.

use super::{all, run, script, section};
use crate::tree::Tree;
use jiff::{SignedDuration, Timestamp};
use std::fs::{self, File};
use std::time::{Duration, SystemTime};

/// The image roots: one that is empty, one with images, and one that does not exist.
const ROOTS: &str = "--root TOP/local:TOP/shared:nextflow=TOP/none";

/// An image that was added long ago, a removed image, a file that is no image, and a failure of the
/// filler.
fn site() -> Option<Tree> {
    let tree = Tree::with_roots(&["local", "shared"])?;
    let old = File::options().write(true).open(tree.image("shared/o/old:1", 2)).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(9_000_000)).unwrap();
    tree.file("shared/NOTES", b"");
    tree.image("shared/o/removed:1", 3);
    run(&tree, "remove --json --root TOP/local:TOP/shared --yes o/removed:1", "");
    script(&tree, "sinfo", "echo 'n1|idle|cpu'");
    script(&tree, "apptainer", "echo test 1; exit 1");
    logs(&tree);
    tree.file("fill.toml", b"allow = [\"**\"]\nunidentified = \"count\"\n");
    run(&tree, &format!("fill --json {ROOTS} --policy TOP/fill.toml --log TOP/log --once"), "");
    Some(tree)
}

/// A log of now, one of the last 70 days, and one without a line of the plugin.
fn logs(tree: &Tree) {
    let now = Timestamp::now();
    let hit = |name: &str| {
        let image = tree.text(&format!("shared/{name}"));
        format!("event=hit job=8 tasks=2 uid=1001 reference=docker.io/{name} image={image}")
    };
    let said = [
        hit("o/good:1"),
        hit("o/gone:1"),
        "event=miss job=9 uid=1001 reference=127.0.0.1:1/o/bad:1".to_owned(),
        "event=miss job=9 uid=1001 reference=o/cut:1 refused=/a why=truncated".to_owned(),
    ];
    let line = |time: Timestamp, said: &str| format!("{time} n1 {said}\n");
    let log: String = said.iter().map(|said| line(now, &format!("sifcache: {said}"))).collect();
    tree.file("log", log.as_bytes());
    let days_ago = |day: i64| now - SignedDuration::from_hours(24 * day);
    let mut proven: String = (0..70).rev().map(|day| line(days_ago(day), "cron: x")).collect();
    proven.push_str(&line(days_ago(65), &format!("sifcache: {}", hit("o/old:1"))));
    tree.file("log.proven", format!("{proven}{log}").as_bytes());
    tree.file("log.none", b"2026-01-01T03:04:05Z n1 cron: x\n");
}

#[test]
fn report() {
    let Some(tree) = site() else { return };
    let mut outputs = all(
        &tree,
        &[
            &format!("report --json {ROOTS} --log TOP/log"),
            &format!("report --json {ROOTS} --log TOP/log.proven --since 2026-01-01 --until 0d"),
            &format!("report --json {ROOTS} --log TOP/log.none"),
        ],
    );
    fs::remove_file(tree.path("bin/sinfo")).unwrap();
    outputs.extend(all(&tree, &["report --json --plugstack TOP/none --log TOP/log"]));
    let mut found = section(|title| title == "report").differences(&outputs);
    // These occur only on a host without a log, or in a log without any time; there are always
    // problems, if only an empty list.
    let rare = ["totals.m", "days.m", "images.m", "misses.m", "nodes.", "problems.m"];
    found.retain(|one| !rare.iter().any(|rare| one.starts_with(rare)));
    assert_eq!(found, [""; 0], "{outputs:#?}");
}
