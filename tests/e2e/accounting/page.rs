//! The tables of `docs/accounting.md`, with a row for each fact and each release of Slurm.

use std::fs;
use std::path::PathBuf;

/// The rows of one release.
pub(super) struct Page(String);

impl Page {
    pub(super) fn new(release: String) -> Self {
        Self(release)
    }

    pub(super) fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/accounting.md")
    }

    /// Compares a row with what was seen, or writes the row if `SIFCACHE_BLESS=1`.
    #[track_caller]
    pub(super) fn compare(&self, fact: &str, seen: &[&str]) {
        let text = fs::read_to_string(Self::path()).unwrap();
        let start = format!("| {} | {fact} |", self.0);
        let row = text.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("docs/accounting.md has no row '{start}'"));
        let found = format!("{start} {} |", seen.join(" | "));
        if std::env::var_os("SIFCACHE_BLESS").is_some() {
            fs::write(Self::path(), text.replace(row, &found)).unwrap();
        } else {
            assert_eq!(row, found, "left: the page, right: what Slurm does");
        }
    }
}
