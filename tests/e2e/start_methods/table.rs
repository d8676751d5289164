//! The table of ways in `docs/launch-shapes.md`.

use std::fs;
use std::path::PathBuf;

/// The runtimes of a node, in the words of the first column.
pub(super) const BOTH: &str = "both";
pub(super) const APPTAINER: &str = "only `apptainer`";
pub(super) const SINGULARITY: &str = "only `singularity`";
pub(super) const NONE: &str = "none";
/// Both runtimes, with the setting for sudo's search path.
pub(super) const SECURE_PATH: &str = "both, `secure_path`";
pub(super) const OWN_PATH: &str = "both, no `secure_path`";

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/launch-shapes.md")
}

/// Compares the row of a way in the table with `same`: whether the result of the way is the same
/// with `nested=path` and with `preload`. `ended` describes the results without the plugin and with
/// it, for the failure message.
#[track_caller]
pub(super) fn compare(place: &str, name: &str, same: [bool; 2], ended: &str) {
    let text = fs::read_to_string(page()).unwrap();
    let start = format!("| {place} | {name} |");
    let row = text.lines().find(|line| line.starts_with(&start));
    let row = row.unwrap_or_else(|| panic!("docs/launch-shapes.md has no row '{start}'"));
    let reason = row.split('|').nth(5).unwrap().trim();
    let [path, preload] = same.map(|same| if same { "same" } else { "differs" });
    let found = format!("{start} {path} | {preload} | {reason} |");
    if std::env::var_os("SIFCACHE_BLESS").is_some() {
        fs::write(page(), text.replace(row, &found)).unwrap();
    } else {
        assert_eq!(row, found, "left: the page, right: the result: {ended}");
    }
    let explained = same == [true, true] || !reason.is_empty();
    assert!(explained, "'{name}' differs, and the table does not say why: {ended}");
}

/// Every row has a test: the name of the row is in one of the lists.
#[test]
fn every_row_is_tested() {
    let text = fs::read_to_string(page()).unwrap();
    let rows =
        text.lines().filter(|line| line.contains("| same |") || line.contains("| differs |"));
    let mut found: Vec<String> = rows
        .map(|row| row.split('|').skip(1).take(2).map(str::trim).collect::<Vec<_>>().join(" "))
        .collect();
    let both = super::WAYS.iter().chain(&super::SHELLS);
    let ways = both.map(|(name, _)| format!("{BOTH} {name}"));
    let sudo = [SECURE_PATH, OWN_PATH];
    let sudo = sudo.iter().flat_map(|place| super::SUDO.map(|(name, _)| format!("{place} {name}")));
    let fewer = [APPTAINER, SINGULARITY, NONE];
    let fewer =
        fewer.iter().flat_map(|place| super::FEWER.map(|(name, _)| format!("{place} {name}")));
    let mut expected: Vec<String> = ways.chain(fewer).chain(sudo).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}
