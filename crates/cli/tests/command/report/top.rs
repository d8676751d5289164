//! `--top`: lists are shorter, and everything is counted.

use super::{ago, hit, line, report, rows, run, text};
use crate::tree::{Tree, mode};
use serde_json::Value;

const LOG: &str = "--root TOP/root --log TOP/log";

/// Seven empty files, seven files that jobs refused, three missing roots, and seven missing images,
/// two of which are refused. Several files are no logs.
fn with_many() -> Option<Tree> {
    let tree = Tree::new()?;
    let mut log = line(ago(0, 1), "n1", &hit(&tree, 1, 1001, "tasks=1", "o/good:1"));
    for number in 0..7 {
        tree.file(format!("root/o/empty:{number}"), b"");
        tree.file(format!("root/readme.{number}"), b"text");
        mode(&tree.image(format!("root/o/open:{number}"), 2), 0o666);
        let refused = format!("refused=/local/o/i:{number} why=empty");
        let fields =
            format!("miss job=1 tasks=1 uid=1001 reference=docker.io/o/i:{number} {refused}");
        log.push_str(&line(ago(0, 1), "n1", &fields));
        tree.file(format!("lz4.{number}"), b"\x04\x22\x4d\x18 and so on");
    }
    for number in 0..3 {
        let refused = format!("refused=/no/{number} why=no-root");
        let fields =
            format!("miss job=1 tasks=1 uid=1001 reference=docker.io/o/j:{number} {refused}");
        log.push_str(&line(ago(0, 1), "n1", &fields));
    }
    tree.file("log", log.as_bytes());
    Some(tree)
}

fn words(tree: &Tree, top: u64) -> String {
    let logs: Vec<String> = (0..7).map(|number| tree.text(&format!("lz4.{number}"))).collect();
    format!("{LOG} {} --top {top}", logs.join(" "))
}

/// The counts of the rows of a kind.
fn counts(report: &Value, kind: &str) -> Vec<(u64, bool)> {
    let of_kind = rows(&report["problems"]["data"]).iter().filter(|one| one["kind"] == kind);
    of_kind.map(|one| (one["count"].as_u64().unwrap(), one["rest"].as_bool().unwrap())).collect()
}

#[test]
fn the_rest_of_each_kind_is_one_row() {
    let Some(tree) = with_many() else { return };
    let single = (1, false);
    for (top, seven, three) in [
        (3, vec![single, single, single, (4, true)], vec![single; 3]),
        (7, vec![single; 7], vec![single; 3]),
        (6, [vec![single; 6], vec![(1, true)]].concat(), vec![single; 3]),
        (1, vec![single, (6, true)], vec![single, (2, true)]),
        (0, vec![(7, true)], vec![(3, true)]),
    ] {
        let found = report(&tree, &words(&tree, top));
        for kind in ["empty", "not-a-sif", "untrusted", "skipped-log"] {
            assert_eq!(counts(&found, kind), seven, "{kind} {top}: {found:#}");
        }
        let three: Vec<u64> = three.iter().map(|(count, _)| *count).collect();
        let roots: Vec<u64> = counts(&found, "no-root").iter().map(|(count, _)| *count).collect();
        assert_eq!(roots, three, "{top}");
        let refused = counts(&found, "refused").iter().map(|(count, _)| *count).sum::<u64>();
        assert_eq!(refused, 7, "{top}");
    }
}

/// The numbers of problems in the summary and at the top of the page.
fn numbers(tree: &Tree, top: u64) -> (String, String) {
    let output = run(tree, &format!("report {}", words(tree, top)));
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find(|line| line.starts_with("problems:")).unwrap().to_owned();
    let output = run(tree, &format!("report --html - {}", words(tree, top)));
    let page = String::from_utf8(output.stdout).unwrap();
    let tile = page.split("<a href=\"#problems\">Problems</a>").nth(1).unwrap();
    (line, tile.split("</dd><dd class=\"source\">").next().unwrap().to_owned())
}

#[test]
fn the_number_of_problems_does_not_depend_on_top() {
    let Some(tree) = with_many() else { return };
    let all = numbers(&tree, 100);
    // 7 empty files, 7 files that are no images, 7 that all may write, 7 refused ones, and 3 roots.
    assert!(all.0.starts_with("problems: 31, and notes: "), "{all:?}");
    for top in [0, 1, 5, 6, 30] {
        assert_eq!(numbers(&tree, top), all, "{top}");
    }
    let list = |top| {
        let output = run(&tree, &format!("report {}", words(&tree, top)));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(list(100).ends_with("  and 26 more (--html, --json)\n"), "{}", list(100));
    // One row for each of the five kinds.
    assert!(list(0).contains(" and 6 more: "), "{}", list(0));
    assert!(!list(0).contains("(--html, --json)"), "{}", list(0));
}

/// No list has rows, but it is not said that there is nothing.
#[test]
fn top_0_leaves_only_the_numbers() {
    let Some(tree) = with_many() else { return };
    let found = report(&tree, &format!("{} --unused-for 0d", words(&tree, 0)));
    for list in [
        &found["images"]["data"],
        &found["misses"]["data"]["list"],
        &found["unused"]["data"]["list"],
    ] {
        assert!(rows(&list["rows"]).is_empty() && list["total"].as_u64() > Some(0), "{list}");
    }
    let output = run(&tree, &format!("report --html - {} --unused-for 0d", words(&tree, 0)));
    let page = String::from_utf8(output.stdout).unwrap();
    for table in ["images-table", "misses-table", "unused-table"] {
        assert!(!page.contains(table), "{table}");
    }
    for nothing in ["No image served", "Every image"] {
        assert!(!page.contains(nothing), "{nothing}");
    }
    // The command prints what is left out, with the logs and settings of this report.
    let command =
        page.split("None of 10 rows. <code>").nth(1).unwrap().split("</code>").next().unwrap();
    let expected =
        format!("sifcache report --root {} --log {} ", tree.text("root"), tree.text("log"));
    assert!(command.starts_with(&expected), "{command}");
    let all = super::fixes::follow(&tree, command);
    let all: Value = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!(rows(&all["misses"]["data"]["list"]["rows"]).len(), 10, "{command}");
}

/// Each command of a problem works as it is printed: it does not end with a usage error, or because
/// there are no settings.
#[test]
fn commands_repeat_the_settings() {
    let Some(tree) = with_many() else { return };
    tree.file("empty.log", b"2026-01-01T00:00:00Z n1 cron: x\n");
    for words in [
        words(&tree, 2),
        "--root TOP/root --log TOP/empty.log".to_owned(),
        "--root TOP/none --log TOP/log".to_owned(),
    ] {
        let found = report(&tree, &words);
        let problems = rows(&found["problems"]["data"]).iter();
        let misses = rows(&found["misses"]["data"]["list"]["rows"]).iter();
        let commands = problems.chain(misses).map(|one| text(&one["command"]));
        for command in commands.filter(|command| command.starts_with("sifcache ")) {
            assert!(command.contains(" --root /"), "{command}");
            let output = super::fixes::follow(&tree, command);
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(![Some(64), Some(78)].contains(&output.status.code()), "{command}: {message}");
        }
    }
}

/// The command for the missing images lists those of the page, wherever it is called.
#[test]
fn commands_are_about_the_time_of_the_report() {
    let Some(tree) = Tree::new() else { return };
    let miss = |days, uid, name: &str| {
        let fields = format!("miss job=1 tasks=1 uid={uid} reference=docker.io/o/{name}:1");
        line(ago(days, 1), "n1", &fields)
    };
    let all =
        [("old", 30), ("new", 1)].map(|(name, days)| miss(days, 7, name) + &miss(days, 8, name));
    tree.file("log", all.concat().as_bytes());
    let found = report(&tree, "--root root --log log --since 7d");
    let list = text(&found["misses"]["data"]["command"]).split(" | ").next().unwrap();
    let since = text(&found["since"]);
    assert!(since.ends_with('Z') && !since.contains('.'), "{since}");
    let here = tree.text("");
    assert!(
        list.contains(&format!(" --root {here}root --log {here}log --since {since} ")),
        "{list}"
    );
    let output = super::fixes::follow(&tree, list);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "o/new:1\n", "{list}: {output:?}");
}
