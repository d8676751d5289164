//! The tables of `docs/evidence/faults.md`.

use crate::kit::{Output, built};
use std::fs;
use std::path::PathBuf;

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/evidence/faults.md")
}

/// The result of one fault, in the words of the table.
pub(super) struct Found {
    /// The result of the command with the plugin left out of plugstack.conf.
    pub(super) without: String,
    /// The result of the same command with the plugin.
    pub(super) with: String,
    /// What the user sees in addition to the output without the plugin.
    pub(super) user: String,
    /// The lines in slurmd's log and in syslog on that node.
    pub(super) admin: String,
}

/// The release of Slurm that the table describes. The amount of memory that a task itself needs
/// differs between releases.
const RELEASE: &str = "26.05";

fn is_in_the_table() -> bool {
    built("faultfs").parent().is_some_and(|directory| directory.ends_with(RELEASE))
}

/// Compares with the row of `fault`, or writes the row if `SIFCACHE_BLESS=1`.
#[track_caller]
pub(super) fn compare(fault: &str, found: &Found) {
    let text = fs::read_to_string(page()).unwrap();
    let start = format!("| {fault} |");
    let row = text.lines().find(|line| line.starts_with(&start));
    let row = row.unwrap_or_else(|| panic!("docs/evidence/faults.md has no row for '{fault}'"));
    let cell = |text: &str| match text {
        "" => "nothing".to_owned(),
        text => text.trim_end().replace('|', "\\|").replace('\n', "<br>"),
    };
    let Found { without, with, user, admin } = found;
    let [without, with, user, admin] = [without, with, user, admin].map(|text| cell(text));
    let new = format!("| {fault} | {without} | {with} | {user} | {admin} |");
    if std::env::var_os("SIFCACHE_BLESS").is_some() {
        fs::write(page(), text.replace(row, &new)).unwrap();
    } else if is_in_the_table() {
        assert_eq!(row, new, "found on the right");
    } else {
        // Digits are ignored, because the two counts of a row have already been compared. The
        // column for the admin is ignored as well, because its text is longer where an old release
        // lacks a feature.
        let alike = |row: &str| -> Vec<String> {
            let cells = row.split(" | ").take(4);
            cells.map(|cell| cell.replace(|c: char| c.is_ascii_digit(), "")).collect()
        };
        assert_eq!(alike(row), alike(&new), "found on the right: {new}");
    }
}

/// The exit of a command in the words of the table: `runs`, or its status.
pub(super) fn ended(output: &Output) -> String {
    match output.status {
        0 => "runs".to_owned(),
        status => format!("status {status}"),
    }
}

/// Every row of the tables of faults, which have five columns, has a test: the name of the row is in
/// quotes in one of the files in this directory.
#[test]
fn every_row_is_tested() {
    let text = fs::read_to_string(page()).unwrap();
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/faults");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let sources: String = files.map(|file| fs::read_to_string(file).unwrap()).collect();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let rows = rows.filter(|row| row.split(" | ").count() >= 5);
    let names = rows.map(|row| row.split('|').nth(1).unwrap().trim());
    let names: Vec<&str> = names.filter(|name| *name != "fault").collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        assert!(sources.contains(&format!("\"{name}\"")), "no test for '{name}'");
    }
}
