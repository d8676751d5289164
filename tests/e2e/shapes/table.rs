//! The table of `docs/launch-shapes.md`.

use std::fs;
use std::path::PathBuf;

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/launch-shapes.md")
}

/// Compares the row of a shape in the table with `measured`: whether `nested=off`, `path` and
/// `preload` cover the shape.
#[track_caller]
pub(super) fn compare(name: &str, measured: [bool; 3]) {
    let text = fs::read_to_string(page()).unwrap();
    let start = format!("| {name} |");
    let row = text.lines().find(|line| line.starts_with(&start));
    let row = row.unwrap_or_else(|| panic!("docs/launch-shapes.md has no row for '{name}'"));
    let reason = row.split('|').nth(5).unwrap().trim();
    let [off, path, preload] = measured.map(|covered| if covered { "yes" } else { "no" });
    let found = format!("| {name} | {off} | {path} | {preload} | {reason} |");
    if std::env::var_os("SIFCACHE_BLESS").is_some() {
        fs::write(page(), text.replace(row, &found)).unwrap();
    } else {
        assert_eq!(row, found, "left: the page, right: the result");
    }
    let explained = measured[1] && measured[2] || !reason.is_empty();
    assert!(explained, "'{name}' is not covered everywhere, and the table does not say why");
}

/// Every row has a test: the name of the row is in quotes in one of these files.
#[test]
fn every_row_is_tested() {
    let text = fs::read_to_string(page()).unwrap();
    let sources = [
        include_str!("modules.rs"),
        include_str!("parallel.rs"),
        include_str!("programs.rs"),
        include_str!("scripts.rs"),
        include_str!("steps.rs"),
    ]
    .concat();
    let rows = text.lines().filter(|line| line.contains(" yes |") || line.contains(" no |"));
    let names: Vec<&str> = rows.map(|row| row.split('|').nth(1).unwrap().trim()).collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        assert!(sources.contains(&format!("\"{name}\"")), "no test for '{name}'");
    }
}
