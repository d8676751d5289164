//! Images to which files of users link (`pull=link`): `gc` keeps them for `--link-grace`.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sif_fixture::Sif;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A site with `pull=link` and one image, which is 90 days old and has a name with a digest.
struct Site {
    directory: TempDir,
}

fn days_ago(days: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(24 * days) - SignedDuration::from_mins(1)
}

impl Site {
    fn new() -> Self {
        let site = Self { directory: TempDir::new().unwrap() };
        let image = site.path("root/o/i:1");
        Sif::image().write(&image).unwrap();
        File::options()
            .write(true)
            .open(&image)
            .unwrap()
            .set_modified(days_ago(90).into())
            .unwrap();
        fs::hard_link(image, site.pinned()).unwrap();
        let root = site.path("root");
        let line = format!(
            "optional spank_sifcache.so image_root={} untrusted=accept pull=link\n",
            root.display()
        );
        fs::write(site.path("plugstack.conf"), line).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn pinned(&self) -> PathBuf {
        self.path(&format!("root/o/i@sha256:{}", "0f".repeat(32)))
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.args(words).current_dir(self.directory.path());
        command.env_clear().env("TZ", "UTC").stdin(Stdio::null()).output().unwrap()
    }

    /// Makes `hits` save a log of 40 days with a pull `days` ago that made a link.
    fn linked(&self, days: i64) {
        let (image, link) = (self.path("root/o/i:1"), self.pinned());
        let pull = format!(
            "sifcache: event=hit uid=1001 via=pull reference=docker.io/o/i:1 image={} link={}",
            image.display(),
            link.display()
        );
        let line = |day| {
            let time = days_ago(day);
            let pull = if day == days { format!("{time} n1 {pull}\n") } else { String::new() };
            let other = "sifcache: event=miss uid=1001 via=shim reference=docker.io/o/i:2";
            format!("{pull}{time} n1 {other}\n")
        };
        let log: String = (0..=40).rev().map(line).collect();
        fs::write(self.path("log"), log).unwrap();
        let output = self.run(&["hits", "--plugstack", "plugstack.conf", "--log", "log"]);
        assert!(output.status.success(), "{output:?}");
    }

    /// The number of images that `gc` would remove, or its error; and its stderr.
    fn gc(&self, words: &[&str]) -> (Option<usize>, String) {
        let output = self.run(&[&["gc", "--dry-run", "--json"], words].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        if output.status.code() == Some(69) {
            return (None, stderr);
        }
        assert!(output.status.success(), "{stderr}");
        let object: Value = serde_json::from_slice(&output.stdout).unwrap();
        (Some(object["removed"].as_array().unwrap().len()), stderr)
    }
}

const CONFIGURED: [&str; 2] = ["--plugstack", "plugstack.conf"];
const OLD: [&str; 2] = ["--older-than", "30d"];

#[test]
fn a_linked_image_is_kept_for_the_grace_period() {
    let site = Site::new();
    site.linked(10);
    let gc = |words: &[&str]| site.gc(&[&CONFIGURED[..], words].concat());
    let message = "not removed, because files of users link to it: o/i:1 (--link-grace)";
    for condition in [&OLD, &["--max-size", "0"], &["--unused-for", "5d"]] {
        let (removed, stderr) = gc(condition);
        assert!(removed == Some(0) && stderr.contains(message), "{removed:?} {stderr}");
        let grace = ["--link-grace", "11d"];
        assert_eq!(gc(&[&condition[..], &grace].concat()).0, Some(0), "{condition:?}");
        let grace = ["--link-grace", "9d"];
        let (removed, stderr) = gc(&[&condition[..], &grace].concat());
        assert!(removed == Some(1) && !stderr.contains("link"), "{removed:?} {stderr}");
    }
    // The tag moves to another image; the link does not.
    fs::remove_file(site.path("root/o/i:1")).unwrap();
    assert_eq!(gc(&OLD).0, Some(0));
    // The links count even if the settings are not read.
    let by_root = ["--root", "root", "--untrusted", "accept"];
    assert_eq!(site.gc(&[&by_root[..], &OLD].concat()).0, Some(0));
}

/// Without logs, the links to images are unknown.
#[test]
fn logs_are_required_only_for_images_that_can_be_linked() {
    let site = Site::new();
    let gc = |words: &[&str]| site.gc(&[&CONFIGURED[..], words].concat());
    let (removed, stderr) = gc(&OLD);
    assert!(removed.is_none() && stderr.contains("--link-grace needs them since"), "{stderr}");
    assert_eq!(gc(&[&OLD[..], &["--link-grace", "0d"]].concat()).0, Some(1));
    assert_eq!(gc(&["--older-than", "100d"]).0, Some(0));
    site.linked(35);
    assert_eq!(gc(&OLD).0, Some(1));
    let (removed, stderr) = gc(&[&OLD[..], &["--link-grace", "60d"]].concat());
    assert_eq!(removed, Some(0), "{stderr}");
    fs::remove_file(site.pinned()).unwrap();
    fs::remove_dir_all(site.path("root/.sifcache")).unwrap();
    assert_eq!(gc(&OLD).0, Some(1));
}

/// Links lead to the last image root, so `gc` in the root of a node needs no logs.
#[test]
fn logs_are_not_required_for_the_other_image_roots() {
    let site = Site::new();
    fs::create_dir(site.path("shared")).unwrap();
    let (root, shared) = (site.path("root"), site.path("shared"));
    for (roots, expected) in [([&root, &shared], Some(1)), ([&shared, &root], None)] {
        let [first, last] = roots.map(|root| root.display());
        let line = format!(
            "optional spank_sifcache.so image_root={first}:{last} untrusted=accept pull=link\n"
        );
        fs::write(site.path("plugstack.conf"), line).unwrap();
        let into = ["--into", root.to_str().unwrap()];
        assert_eq!(site.gc(&[&CONFIGURED[..], &OLD, &into].concat()).0, expected, "{first}");
    }
}
