//! The table of `docs/security.md`.

use std::fs;
use std::path::{Path, PathBuf};

fn source(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The tests that the page names: `file::test`, with the file relative to the top of the source.
fn named(text: &str) -> Vec<(&str, &str)> {
    let words = text.split('`').skip(1).step_by(2);
    words.filter_map(|word| word.split_once(".rs::")).collect()
}

#[test]
fn every_named_test_exists() {
    let text = fs::read_to_string(source("docs/security.md")).unwrap();
    let named = named(&text);
    assert!(named.len() > 60, "only {} tests are named", named.len());
    for (file, test) in named {
        let path = source(format!("{file}.rs"));
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}.rs: {e}"));
        let head = format!("fn {test}(");
        let place = text.find(&head).unwrap_or_else(|| panic!("{file}.rs has no test {test}"));
        let before = &text[..place];
        let attributes = before.rsplit("\n\n").next().unwrap();
        let is_test = attributes.contains("#[test]") || text.contains("proptest!");
        assert!(is_test, "{file}.rs: {test} is not a test");
    }
}

/// Each attack has one row, which names a test.
#[test]
fn every_row_names_a_test() {
    let text = fs::read_to_string(source("docs/security.md")).unwrap();
    let section =
        text.split("\n## ").find(|section| section.starts_with("Attacks by ordinary users"));
    let rows = section.expect("the section").lines().filter(|line| line.starts_with("| "));
    let rows: Vec<&str> =
        rows.filter(|row| !row.starts_with("| --") && !row.contains("| test |")).collect();
    assert!(rows.len() > 35, "{}", rows.len());
    for row in rows {
        assert!(!named(row).is_empty(), "no test: {row}");
    }
}

/// Each test of an attack is named in a row of the table.
#[test]
fn every_attack_is_listed() {
    let text = fs::read_to_string(source("docs/security.md")).unwrap();
    for entry in fs::read_dir(source("tests/e2e/attacks")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".rs") || name == "table.rs" {
            continue;
        }
        let code = fs::read_to_string(&path).unwrap();
        for part in code.split("#[test]").skip(1) {
            let test = part.split("fn ").nth(1).unwrap().split('(').next().unwrap();
            let named = format!("`tests/e2e/attacks/{name}::{test}`");
            assert!(text.contains(&named), "{named} is not listed");
        }
    }
}
