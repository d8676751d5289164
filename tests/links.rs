//! Links between the Markdown files of the project.
#![allow(clippy::unwrap_used, clippy::string_slice)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All Markdown files of the project, relative to its root.
fn pages() -> Vec<PathBuf> {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::from(root)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                directories.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found
}

/// The targets of `[text](target)` outside of code.
fn targets(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("    ")) {
        // Every second part of a line is between backticks.
        let parts = line.split('`').enumerate();
        let prose: String =
            parts.map(|(at, part)| if at % 2 == 0 { part } else { "code" }).collect();
        for (at, _) in prose.match_indices("](") {
            let rest = &prose[at + 2..];
            found.push(rest.split(')').next().unwrap().to_owned());
        }
    }
    found
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let heading = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
        title.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    text.lines().filter(|line| line.starts_with('#')).map(heading).collect()
}

/// Why a link of a page is broken; `None` if it is not.
fn broken(page: &Path, text: &str, target: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { page.to_owned() } else { page.parent().unwrap().join(path) };
    if !file.exists() {
        return Some(format!("{}: {target}: no such file", page.display()));
    }
    let other = if path.is_empty() { text.to_owned() } else { fs::read_to_string(&file).ok()? };
    let is_there = anchor.is_empty() || anchors(&other).contains(anchor);
    (!is_there).then(|| format!("{}: {target}: no such heading", page.display()))
}

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    let mut wrong = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in targets(&text) {
            links += 1;
            wrong.extend(broken(&page, &text, &target));
        }
    }
    assert!(links > 30, "{links} links");
    assert_eq!(wrong, [""; 0]);
}

/// docs/README.md is an index of all pages.
#[test]
fn every_page_is_listed() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let index = fs::read_to_string(docs.join("README.md")).unwrap();
    let listed: BTreeSet<String> = targets(&index).into_iter().collect();
    for page in pages().iter().filter_map(|page| page.strip_prefix(&docs).ok()) {
        let name = page.to_str().unwrap();
        assert!(
            name == "README.md" || listed.contains(name),
            "docs/{name} is not in docs/README.md"
        );
    }
}

#[test]
fn broken_links_are_found() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let find =
        |text: &str| targets(text).iter().filter_map(|target| broken(&page, text, target)).count();
    assert_eq!(find("# One two\n[a](#one-two) [b](docs/README.md#for-admins) [c](docs)"), 0);
    assert_eq!(find("[a](#three) [b](docs/none.md) [c](docs/README.md#none)"), 3);
    assert_eq!(find("`[a](none)` and\n    [b](none)"), 0);
}

/// The command prints where the docs are, so the files that it names must exist.
#[test]
fn pages_that_messages_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("grep")
        .args(["-rhoE", "docs/[a-z/-]+\\.md", "crates", "src", "plugstack.conf.example"])
        .current_dir(root)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let named: BTreeSet<&str> = text.lines().collect();
    assert!(named.len() > 3, "{named:?}");
    for name in named {
        assert!(root.join(name).exists(), "{name}");
    }
}

/// The tests that the page about images on demand names for each fault, as `FILE::NAME`.
#[test]
fn the_test_of_each_fault_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/on-demand.md")).unwrap();
    let faults = text.split("\n## Faults\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = faults.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let mut count = 0;
    for row in rows.filter(|row| !row.starts_with("| fault |")) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in cell.split(", ") {
            let (file, test) =
                name.trim_matches('`').split_once("::").unwrap_or_else(|| panic!("{row}"));
            let source = fs::read_to_string(root.join(file))
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(source.contains(&format!("fn {test}(")), "{name}");
            count += 1;
        }
    }
    assert!(count > 30, "{count} tests");
}
