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
    let (launches, _) = text.split_once("\n## ").unwrap();
    let rows = launches.lines().filter(|line| line.contains(" yes |") || line.contains(" no |"));
    let names: Vec<&str> = rows.map(|row| row.split('|').nth(1).unwrap().trim()).collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        assert!(sources.contains(&format!("\"{name}\"")), "no test for '{name}'");
    }
}

/// The rows of workflow engines, which `tests/engines/check` compares with its results, are those
/// of its list, in the same order and with the pinned versions.
#[test]
fn rows_of_engines() {
    let engines = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/engines");
    let list = fs::read_to_string(engines.join("list.tsv")).unwrap();
    let expected: Vec<String> = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let [directory, package, name] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line:?}")
            };
            assert!(engines.join(directory).join("job.sh").is_file(), "{directory}");
            if package == "-" {
                return name.to_owned();
            }
            let pins = directory.split('-').next().unwrap();
            let pins = fs::read_to_string(engines.join(format!("packages/{pins}.txt"))).unwrap();
            let start = format!("{package}==");
            let version = pins.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
            format!("{name} {}", version.trim_end_matches(" \\"))
        })
        .collect();
    let text = fs::read_to_string(page()).unwrap();
    let (_, rest) = text.split_once("\n## Workflow engines\n").unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(2);
    let names: Vec<&str> = rows.map(|row| row.split('|').nth(1).unwrap().trim()).collect();
    assert_eq!(names, expected);
}
