//! Tests of the systemd units in `packaging/`, with systemd-analyze. A machine without it skips them.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNITS: [&str; 7] = [
    "fill/sifcache-fill.service",
    "fill/sifcache-fill-once.service",
    "fill/sifcache-hits.service",
    "metrics/sifcache-metrics.service",
    "fill/sifcache-fill-once.timer",
    "fill/sifcache-hits.timer",
    "metrics/sifcache-metrics.timer",
];
/// The exposure that systemd-analyze calls OK, times ten. What is left open is in
/// docs/on-demand.md.
const EXPOSURE: &str = "45";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The file name of a unit.
fn file(name: &str) -> &str {
    name.rsplit('/').next().unwrap()
}

/// Copies of the units, in which the program is one that exists on this machine.
struct Units(PathBuf);

impl Units {
    fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("units-{test}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        for name in UNITS {
            let text = read(&format!("packaging/{name}"));
            assert_eq!(text.contains("ExecStart=/usr/bin/sifcache "), name.ends_with("service"));
            let text = text.replace("/usr/bin/sifcache", "/bin/true");
            fs::write(directory.join(file(name)), text).unwrap();
        }
        Self(directory)
    }

    /// Runs systemd-analyze on a unit. The result is its output if it fails.
    fn analyze(&self, words: &[&str], name: &str) -> Result<(), String> {
        let mut command = Command::new("systemd-analyze");
        let Ok(output) = command.args(words).arg(self.0.join(file(name))).output() else {
            eprintln!("skipped: needs systemd-analyze");
            return Ok(());
        };
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        // verify prints an unknown setting, but ends with success.
        let about = text.lines().any(|line| line.contains(file(name)) && words.contains(&"verify"));
        if output.status.success() && !about { Ok(()) } else { Err(text) }
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn systemd_accepts_the_units() {
    let units = Units::new("verify");
    for name in UNITS {
        assert_eq!(units.analyze(&["verify", "--man=no"], name), Ok(()), "{name}");
    }
}

#[test]
fn the_services_are_hardened() {
    let units = Units::new("security");
    let threshold = format!("--threshold={EXPOSURE}");
    for name in &UNITS[..4] {
        let words = ["security", "--offline=true", "--no-pager", &threshold];
        assert_eq!(units.analyze(&words, name), Ok(()), "{name}");
    }
}

/// The settings of a unit that do not depend on how `fill` is run.
fn common(text: &str) -> BTreeSet<&str> {
    let own = ["Type=", "ExecStart=", "Restart=", "RestartSec=", "Description=", "WantedBy=", "["];
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let settings = lines.filter(|line| !line.starts_with('#'));
    settings.filter(|line| !own.iter().any(|begin| line.starts_with(begin))).collect()
}

#[test]
fn both_services_have_the_same_restrictions() {
    let [service, once] = [UNITS[0], UNITS[1]].map(|name| read(&format!("packaging/{name}")));
    assert_eq!(common(&service), common(&once));
    assert!(common(&service).contains("NoNewPrivileges=yes"));
}

/// Files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Units, drop-in files and crontabs start the command where `make install` has put it.
#[test]
fn installed_files_name_the_installed_command() {
    let top = std::env::temp_dir().join(format!("units-prefix-{}", std::process::id()));
    let (release, tree) = (top.join("release"), top.join("tree"));
    fs::create_dir_all(&release).unwrap();
    for name in ["libspank_sifcache.so", "sifcache-shim", "libsifcache_preload.so", "sifcache"] {
        fs::copy("/bin/true", release.join(name)).unwrap();
    }
    let mut make = Command::new("make");
    make.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "--silent",
        "install-files",
        "prefix=/opt/x",
    ]);
    make.arg(format!("DESTDIR={}", tree.display())).arg(format!("RELEASE={}", release.display()));
    let Ok(output) = make.env_remove("MAKEFLAGS").output() else {
        eprintln!("skipped: needs make");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let named =
        |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains("/bin/sifcache "));
    let is_page = |path: &PathBuf| path.extension().is_some_and(|end| end == "md");
    let found: Vec<PathBuf> =
        files(&tree).into_iter().filter(|path| named(path) && !is_page(path)).collect();
    assert!(found.len() > 6, "{found:?}");
    for path in &found {
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text.matches("/usr/bin/sifcache").count(), 0, "{}", path.display());
    }
    fs::remove_dir_all(&top).unwrap();
}
