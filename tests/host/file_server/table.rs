//! The table of `docs/evidence/file-server.md`.

use super::{Served, image, metadata, of};
use faultfs::Counts;
use std::fs;
use std::path::{Path, PathBuf};

const HEAD: &str =
    "| reference | image roots | image | lookup | getattr | open | metadata | read |";
const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// One row: how many roots there are, which of them has the image, and whether all of them have the
/// directories of the image.
struct Row {
    reference: String,
    count: usize,
    image: Option<usize>,
    has_directories: bool,
}

impl Row {
    fn served(&self, is_mounted: bool) -> Option<Served> {
        let fill = |number: usize, root: &Path| {
            if self.has_directories {
                image(root, &self.reference.replace("/i", "/other"));
            }
            if self.image == Some(number) {
                image(root, &self.reference);
            }
        };
        match is_mounted {
            true => Served::mount_points(self.count, &fill),
            false => Served::below_a_mount_point(self.count, &fill),
        }
    }

    /// The requests of one launch. `None` if this user cannot mount file systems.
    fn counts(&self, is_mounted: bool) -> Option<Counts> {
        let served = self.served(is_mounted)?;
        let path = |root: &PathBuf| root.join(&self.reference).into_os_string().into_string();
        let image = self.image.map_or(String::new(), |number| path(&served.roots[number]).unwrap());
        // Cold: the first launch after the mount. Warm: the second one.
        let cold = served.plugin(&self.reference, "");
        assert_eq!(cold.image, image);
        assert_eq!(served.plugin(&self.reference, ""), cold, "warm");
        assert_eq!(served.shim(&self.reference, ""), cold, "the shim");
        Some(cold.counts)
    }

    fn text(&self) -> Option<String> {
        let counts = self.counts(true)?;
        let below = metadata(&self.counts(false)?);
        let reference = self.reference.replace(DIGEST, "sha256:…");
        let image = match (self.image, self.count) {
            (None, _) => "none".to_owned(),
            (Some(_), 1) => "in the root".to_owned(),
            (Some(number), _) => format!("in root {}", number + 1),
        };
        let directories = match (self.has_directories, self.count) {
            (false, _) => "",
            (true, 1) => ", its directory exists",
            (true, _) => ", its directory exists in all",
        };
        let [lookup, getattr, open, read] =
            ["lookup", "getattr", "open", "read"].map(|name| of(&counts, name));
        let (count, sum) = (self.count, metadata(&counts));
        Some(format!(
            "| `{reference}` | {count} | {image}{directories} | {lookup} | {getattr} | {open} | {sum} ({below}) | {read} |\n"
        ))
    }
}

fn rows() -> Vec<Row> {
    let row = |reference: &str, count, image, has_directories| Row {
        reference: reference.to_owned(),
        count,
        image,
        has_directories,
    };
    let mut rows = Vec::new();
    for reference in ["o/i:1", &format!("o/i@{DIGEST}"), "quay.io/o/i:1"] {
        rows.push(row(reference, 1, Some(0), false));
        rows.extend([false, true].map(|directories| row(reference, 1, None, directories)));
        for count in [3, 10] {
            for directories in [false, true] {
                rows.push(row(reference, count, Some(count - 1), directories));
                rows.push(row(reference, count, None, directories));
            }
        }
    }
    rows.push(row("i:1", 1, Some(0), false));
    rows.push(row("i:1", 1, None, false));
    rows
}

#[test]
fn requests_of_a_launch() {
    let mut table = format!("{HEAD}\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for row in rows() {
        let Some(text) = row.text() else { return };
        table.push_str(&text);
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/evidence/file-server.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(HEAD).expect("the page has the table");
    let (rows, after) = rest.split_once("\n\n").expect("the table ends");
    if std::env::var_os("SIFCACHE_BLESS").is_some() {
        fs::write(&page, format!("{before}{table}\n{after}")).unwrap();
    } else {
        assert_eq!(format!("{HEAD}{rows}\n"), table, "counted on the right");
    }
}
