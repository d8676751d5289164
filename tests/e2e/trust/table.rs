//! The tables in `docs/registries.md`.

use super::page;
use std::fs;

/// The lines of the table under this title.
fn rows(text: &str, title: &str) -> String {
    let title = format!("\n### {title}\n");
    let (_, rest) = text.split_once(&title).unwrap_or_else(|| panic!("no title {title}"));
    let lines = rest.lines().skip_while(|line| !line.starts_with("| --- |")).skip(1);
    lines.take_while(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect()
}

/// Compares the results with the table, or writes the table if `SIFCACHE_BLESS` is set.
#[track_caller]
pub(super) fn compare(title: &str, found: &[(&str, bool)]) {
    let result = |pulled: bool| if pulled { "pulled" } else { "refused" };
    let found: String =
        found.iter().map(|(name, pulled)| format!("| {name} | {} |\n", result(*pulled))).collect();
    let text = fs::read_to_string(page()).unwrap();
    let known = rows(&text, title);
    if std::env::var_os("SIFCACHE_BLESS").is_none() {
        assert_eq!(known, found, "docs/registries.md, {title}");
        return;
    }
    let (before, rest) = text.split_once(&format!("\n### {title}\n")).unwrap();
    let head = "| --- | --- |\n";
    let (middle, rest) = rest.split_once(head).unwrap();
    let rest = rest.strip_prefix(known.as_str()).unwrap();
    let text = format!("{before}\n### {title}\n{middle}{head}{found}{rest}");
    fs::write(page(), text).unwrap();
}
