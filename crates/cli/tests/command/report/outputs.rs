//! The outputs of `report`: the file of `--html`, standard output, and what is missing.

use super::{ago, hit, line, report, rows, run, text};
use crate::tree::{Tree, mode};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

const LOG: &str = "--root TOP/root --log TOP/log";

fn with_log() -> Option<Tree> {
    let tree = Tree::new()?;
    let hit = hit(&tree, 1, 1001, "tasks=3", "o/good:1");
    tree.file("log", line(ago(0, 1), "n1", &hit).as_bytes());
    Some(tree)
}

#[test]
fn the_page_is_written_as_a_whole() {
    let Some(tree) = with_log() else { return };
    fs::create_dir(tree.path("www")).unwrap();
    let page = tree.path("www/report.html");
    for _ in 0..2 {
        let output = run(&tree, &format!("report --html TOP/www/report.html {LOG}"));
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        let text = fs::read_to_string(&page).unwrap();
        assert!(text.starts_with("<!DOCTYPE html>") && text.contains("sifcache"), "{text}");
        // Nothing else is left behind, and the modes of the file stay.
        assert_eq!(fs::read_dir(tree.path("www")).unwrap().count(), 1);
        mode(&page, 0o640);
    }
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o640);
    // Page and JSON of one run.
    let output = run(&tree, &format!("report --json --html TOP/www/report.html {LOG}"));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        fs::read_to_string(&page).unwrap().contains(text(&object["created"]).get(..10).unwrap())
    );
    let output = run(&tree, &format!("report --html - {LOG}"));
    assert!(output.stdout.starts_with(b"<!DOCTYPE html>"), "{output:?}");
}

#[test]
fn nothing_else_is_replaced() {
    let Some(tree) = with_log() else { return };
    tree.file("other", b"other");
    symlink(tree.path("other"), tree.path("link")).unwrap();
    // As a device would be. A broken check must not replace a device of this machine.
    assert!(Command::new("mkfifo").arg(tree.path("pipe")).status().unwrap().success());
    for (path, message) in [
        ("TOP/link", "not a regular file"),
        ("TOP/pipe", "not a regular file"),
        ("TOP/root", "not a regular file"),
        ("TOP/none/report.html", "No such file"),
    ] {
        let output = run(&tree, &format!("report --html {path} {LOG}"));
        assert_eq!(output.status.code(), Some(73), "{path}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(message), "{output:?}");
    }
    assert_eq!(fs::read(tree.path("other")).unwrap(), b"other");
    assert!(tree.path("link").is_symlink());
    let output = run(&tree, &format!("report --json --html - {LOG}"));
    assert_eq!(output.status.code(), Some(64), "{output:?}");
}

/// The advice is about the file of --html, which is not in an image root.
#[test]
fn advice_names_the_file_that_cannot_be_written() {
    let Some(tree) = with_log() else { return };
    mode(&tree.directory("www"), 0o755);
    for (path, status, expected) in [
        ("TOP/none/report.html", 73, format!("; create the directory {} first", tree.text("none"))),
        ("TOP/www/report.html", 77, "; run this as a user that may write there".to_owned()),
    ] {
        let words = format!("report {LOG} --html {path}").replace("TOP/", &tree.text(""));
        let user =
            ["--reuid=1234", "--regid=1234", "--clear-groups", env!("CARGO_BIN_EXE_sifcache")];
        let mut command = Command::new("setpriv");
        command.args(user).args(words.split(' ')).current_dir("/");
        let output = command.output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{message}");
        let path = path.replace("TOP/", &tree.text(""));
        assert!(message.starts_with(&format!("sifcache: cannot write {path}: ")), "{message}");
        assert!(message.ends_with(&format!("{expected}\n")), "{message}");
    }
}

#[test]
fn the_summary_has_the_figures_of_the_object() {
    let Some(tree) = with_log() else { return };
    let output = run(&tree, &format!("report {LOG}"));
    let said = String::from_utf8(output.stdout).unwrap();
    let size = fs::metadata(tree.path("root/o/good:1")).unwrap().len();
    for part in ["cache:    1 image, ", "hits:     3 launches, 0 pulls, 0 builds, 100 % of all"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let totals = &report(&tree, LOG)["totals"]["data"];
    assert_eq!(totals["saved"]["bytes"], 3 * size);
}

/// Without settings, the logs are still reported, and without logs, the image roots.
#[test]
fn what_is_missing_is_said() {
    let Some(tree) = with_log() else { return };
    let found = report(&tree, "--plugstack TOP/none.conf --log TOP/log");
    assert_eq!(found["totals"]["data"]["hits"]["launches"], 3);
    assert_eq!(found["totals"]["data"]["saved"]["unknown"], 3);
    for section in ["cache", "unused"] {
        assert!(text(&found[section]["missing"]).contains("none.conf"), "{section}: {found}");
    }
    // A root that does not exist.
    let found = report(&tree, "--root TOP/none --log TOP/log");
    let root = &found["cache"]["data"]["roots"][0];
    assert!(root["images"].is_null() && root["file_system"].is_null(), "{root}");
    assert!(text(&root["error"]).contains("not exist"), "{root}");
    assert!(found["cache"]["notes"].to_string().contains("the sums leave out"), "{found}");
    let output = run(&tree, "report --root TOP/none --log TOP/log --since 2001-01-01");
    let summary = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(summary.contains("cache:    unknown: it is not a directory, or does"), "{summary}");
    let output = run(&tree, "report --html - --root TOP/none --log TOP/log");
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!page.contains("holds no image yet"), "{page}");
    let output = run(&tree, &format!("report {LOG} --since 2001-01-02 --until 2001-01-03"));
    let summary = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(summary.starts_with("period:   the logs have no line in this time\n"), "{summary}");
    // Neither.
    let output = run(&tree, "report --json --plugstack TOP/none.conf --log TOP/root/o/good:1");
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    let output = run(&tree, "report --json --root TOP/root --log TOP/none");
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    for wrong in ["--unused-for soon", "--top many", "--since yesterday"] {
        let output = run(&tree, &format!("report {wrong} {LOG}"));
        assert_eq!(output.status.code(), Some(64), "{output:?}");
    }
}

/// Nothing is said about images in a root that cannot be read, and the root has one word in all
/// outputs.
#[test]
fn a_root_that_was_not_read_has_no_unused_images() {
    let Some(tree) = with_log() else { return };
    let outputs = |words: &str| {
        let outputs = ["--json ", "", "--html - "].map(|output| {
            let output = run(&tree, &format!("report {output}{words} --log TOP/log"));
            String::from_utf8(output.stdout).unwrap()
        });
        let [json, summary, page] = outputs;
        (serde_json::from_str::<Value>(&json).unwrap(), summary, page)
    };
    let kinds = |report: &Value, path: &str| -> Vec<(String, String, String)> {
        let all = rows(&report["problems"]["data"]).iter();
        let of_root = all.filter(|one| one["subject"] == tree.text(path).as_str());
        let shown = |one: &Value| ["severity", "kind", "command"].map(|key| text(&one[key]).into());
        of_root.map(shown).map(<[String; 3]>::into).collect()
    };
    let row = |severity: &str, roots: &str| {
        let doctor = format!("sifcache doctor --root {}", roots.replace("TOP", &tree.text("")));
        [(severity.to_owned(), "root-not-read".to_owned(), doctor.replace("//", "/"))]
    };
    let (report, summary, page) = outputs("--root TOP/none");
    assert_eq!(report["unused"]["missing"], "no image root could be read", "{report:#}");
    assert!(summary.contains("unused:   unknown: no image root could be read\n"), "{summary}");
    assert!(page.contains("There are no figures here. No image root could be read."), "{page}");
    assert!(!page.contains("Every image was used"), "{page}");
    assert_eq!(kinds(&report, "none"), row("problem", "TOP/none"));
    // One of two.
    let (report, summary, page) = outputs("--root TOP/root:TOP/none");
    assert!(report["unused"]["missing"].is_null());
    let note = text(&report["unused"]["notes"][0]);
    assert!(note.contains("could not be read") && note.ends_with(&tree.text("none")), "{note}");
    assert!(summary.contains(", for 60d, in the image roots that could be read\n"), "{summary}");
    assert!(page.contains("Every image in the image roots that were read was used"), "{page}");
    assert_eq!(kinds(&report, "none"), row("note", "TOP/root:TOP/none"));
    let (_, summary, page) = outputs("--root TOP/root");
    assert!(summary.contains(", for 60d\n"), "{summary}");
    assert!(page.contains("Every image was used within the last"), "{page}");
    // Another tool fills it, and a file takes the place of a directory.
    mode(&tree.path("log"), 0o755);
    let roots = "TOP/log:nextflow=TOP/none";
    let (report, ..) = outputs(&format!("--root {roots}"));
    let both = ["none", "log"].map(|path| kinds(&report, path));
    assert_eq!(both, [(); 2].map(|()| row("problem", &format!("'{roots}'"))));
}

/// `report` changes nothing, and any user may run it.
#[test]
fn ordinary_users_get_a_report() {
    let Some(tree) = with_log() else { return };
    let names = |tree: &Tree| {
        let mut all: Vec<_> = walk(&tree.path(""));
        all.sort();
        all
    };
    let before = names(&tree);
    let words = format!("report --json {LOG}").replace("TOP/", &tree.text(""));
    let user = ["--reuid=1234", "--regid=1234", "--clear-groups", env!("CARGO_BIN_EXE_sifcache")];
    let mut command = Command::new("setpriv");
    command.args(user).args(words.split(' ')).current_dir("/");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["totals"]["data"]["hits"]["launches"], 3);
    assert_eq!(names(&tree), before);
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(walk(&path));
        }
        all.push(path);
    }
    all
}
