//! Makes room in image roots whose file systems report made-up values.

use super::plan::{Plan, Used};
use super::{Room, make_room};
use crate::cache::fill_level::{FillLevel, Part};
use crate::cache::store::metadata::{self, Record};
use crate::cache::store::tests::{sif, store};
use crate::cache::store::{STATE, Store};
use crate::demand::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use sif_fixture::SMALLEST;
use sifcache_core::settings::{Pull, Settings, Untrusted};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// An image root with four images, which were last used 90, 80, 70 and 5 days ago.
struct Site {
    _directory: TempDir,
    store: Store,
    settings: Settings,
}

const NAMES: [&str; 4] = ["o/a:1", "o/b:1", "o/c:1", "o/d:1"];

fn days_ago(days: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(24 * days)
}

fn policy(text: &str) -> Policy {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fill.toml");
    fs::write(&path, format!("allow = []\n{text}")).unwrap();
    Policy::load(&path).unwrap()
}

impl Site {
    fn new() -> Self {
        let (directory, store) = store();
        let mut settings = Settings::with_roots(vec![store.root().to_owned()]);
        settings.untrusted = Untrusted::Accept;
        let site = Self { _directory: directory, store, settings };
        for (which, name) in NAMES.iter().enumerate() {
            site.image(name, u8::try_from(which).unwrap());
        }
        site.logs(40);
        site
    }

    /// Adds an image that is 100 days old.
    fn image(&self, name: &str, which: u8) {
        let path = self.store.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        sif(&path, which);
        let modified = metadata::modified(&fs::metadata(&path).unwrap()).unwrap();
        let record = Record {
            reference: format!("docker.io/{name}"),
            source: format!("docker://{name}"),
            digests: Vec::new(),
            added: days_ago(100),
            runtime: None,
            sha256: String::new(),
            size: SMALLEST,
            architecture: "amd64".to_owned(),
            modified,
        };
        record.save(&self.store, name).unwrap();
    }

    /// Saves the uses of the images, and that the logs of a node cover this many days.
    fn logs(&self, days: i64) {
        let (from, to) = (days_ago(days), Timestamp::now());
        let last = [90, 80, 70, 5].map(days_ago);
        let last: Vec<String> =
            NAMES.iter().zip(last).map(|(name, time)| format!("\"{name}\":\"{time}\"")).collect();
        let nodes = format!(
            "{{\"n1\":{{\"spans\":[{{\"from\":\"{from}\",\"to\":\"{to}\"}}],\"used\":\"{to}\"}}}}"
        );
        let text = format!("{{\"nodes\":{nodes},\"last\":{{{}}}}}", last.join(","));
        fs::write(self.store.root().join(STATE).join("last_used.json"), text).unwrap();
    }

    /// Makes room for a pull of the size of one image. `space` and `inodes` are in use, of 100
    /// images and of 100 inodes. Returns the names of the images that are still there.
    fn make(&self, policy: &str, space: u64, inodes: u64) -> Result<Vec<&'static str>, String> {
        let policy = self::policy(policy);
        let room = Room {
            settings: &self.settings,
            store: &self.store,
            limits: policy.limits(),
            now: Timestamp::now(),
        };
        let part = |used, unit| Part { used: used * unit, total: 100 * unit };
        let level = FillLevel { space: part(space, SMALLEST), inodes: part(inodes, 1) };
        let made = room.make(level, SMALLEST).unwrap();
        made.map(|()| NAMES.into_iter().filter(|name| self.store.path(name).exists()).collect())
    }
}

#[test]
fn nothing_is_removed_up_to_the_high_mark() {
    let site = Site::new();
    assert_eq!(site.make("space = {high = \"90%\"}", 89, 74), Ok(NAMES.to_vec()));
    let open = policy("space = {high = \"100%\", inodes-high = \"100%\"}");
    let made = make_room(&site.settings, site.store.root(), open.limits(), 1).unwrap();
    assert_eq!(made, Ok(()));
}

#[test]
fn the_least_recently_used_images_are_removed_down_to_the_low_mark() {
    let site = Site::new();
    let budget = format!("space = {{max = \"{}\"}}", 3 * SMALLEST);
    assert_eq!(site.make(&budget, 0, 0), Ok(NAMES[2..].to_vec()));
    assert!(!site.store.state().join("metadata/o/a:1.json").exists());
    assert_eq!(fs::read_dir(site.store.state().join("kept")).unwrap().count(), 0);
    // After the pull, two images are above the low mark, or two inodes.
    let marks =
        "space = {high = \"90%\", low = \"89%\", inodes-high = \"90%\", inodes-low = \"89%\"}";
    assert_eq!(Site::new().make(marks, 90, 0), Ok(NAMES[2..].to_vec()));
    assert_eq!(Site::new().make(marks, 0, 75), Ok(NAMES[1..].to_vec()));
    // The low mark is out of reach, but there is room for the pull.
    assert_eq!(Site::new().make("space = {high = \"90%\"}", 90, 0), Ok(NAMES[3..].to_vec()));
}

#[test]
fn nothing_is_removed_if_that_would_not_suffice() {
    let site = Site::new();
    let reason = site.make("space = {high = \"80%\"}", 90, 0).unwrap_err();
    assert!(reason.starts_with("no room for "), "{reason}");
    assert!(reason.contains(" are used, and space.high is 80%; the images that "), "{reason}");
    let reason = site.make("space = {inodes-high = \"50%\"}", 0, 90).unwrap_err();
    assert!(reason.contains("90 of 100 inodes are used, and inodes-high is 50%"), "{reason}");
    let budget = format!("space = {{max = \"{SMALLEST}\"}}");
    let reason = site.make(&budget, 0, 0).unwrap_err();
    assert!(reason.contains("the images have "), "{reason}");
    assert_eq!(site.make("", 0, 0), Ok(NAMES.to_vec()));
}

#[test]
fn an_image_that_a_job_may_use_is_kept() {
    let budget = format!("space = {{max = \"{}\"}}", 2 * SMALLEST);
    // Two images were used in the last 75 days, so only two can be removed.
    let site = Site::new();
    site.logs(80);
    let reason = site.make(&format!("keep-days = 75\n{budget}"), 0, 0).unwrap_err();
    assert!(reason.contains("; the images that served no job since "), "{reason}");
    // Without a proof, an image may have been used.
    site.logs(20);
    let reason = site.make(&budget, 0, 0).unwrap_err();
    let expected = ", and no image is removed: records of image use begin on ";
    assert!(reason.contains(expected) && reason.contains(" (node n1), and keep-days"), "{reason}");
    assert!(reason.ends_with("gone: space.without-nodes of the policy n1"), "{reason}");
    fs::remove_file(site.store.state().join("last_used.json")).unwrap();
    let reason = site.make(&budget, 0, 0).unwrap_err();
    assert!(reason.contains("there are no records of image use"), "{reason}");
    // Without logs, all four images could be candidates.
    assert_eq!(site.make("", 0, 0), Ok(NAMES.to_vec()));
    site.logs(40);
    assert_eq!(site.make(&budget, 0, 0), Ok(NAMES[3..].to_vec()));
}

#[test]
fn only_images_that_sifcache_added_are_removed() {
    let budget = format!("space = {{max = \"{}\"}}", 2 * SMALLEST);
    let site = Site::new();
    fs::remove_file(site.store.state().join("metadata/o/a:1.json")).unwrap();
    assert!(site.make(&budget, 0, 0).is_err());
    let site = Site::new();
    fs::hard_link(site.store.path("o/a:1"), site.store.root().join("Elsewhere")).unwrap();
    assert!(site.make(&budget, 0, 0).is_err());
    let elsewhere = tempfile::tempdir_in(site.store.state()).unwrap();
    fs::rename(site.store.root().join("Elsewhere"), elsewhere.path().join("image")).unwrap();
    assert!(site.make(&budget, 0, 0).is_err());
    let site = Site::new();
    let outside = tempfile::tempdir().unwrap();
    fs::rename(site.store.path("o"), outside.path().join("o")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("o"), site.store.path("o")).unwrap();
    assert!(site.make(&budget, 0, 0).is_err());
    assert!(outside.path().join("o/a:1").exists());
}

/// With pull=link, files of users link to names with a digest.
#[test]
fn an_image_to_which_users_link_is_kept_for_the_grace_period() {
    let mut site = Site::new();
    site.settings.pull = Pull::Link;
    let name = format!("o/e@sha256:{}", "0f".repeat(32));
    site.image(&name, 9);
    let path = site.store.root().join(STATE).join("last_used.json");
    let linked = format!(",\"linked\":{{\"{name}\":\"{}\"}}}}", days_ago(20));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.trim_end_matches('}').to_owned() + "}" + &linked).unwrap();
    // Without the grace period, the image would be the first to go.
    let budget = format!("keep-days = 10\nspace = {{max = \"{}\"}}", 5 * SMALLEST);
    assert_eq!(site.make(&budget, 0, 0), Ok(NAMES[1..].to_vec()));
    assert!(site.store.path(&name).exists());
}

#[test]
fn the_plan_takes_the_larger_need() {
    let policy = policy("space = {high = \"50%\", low = \"40%\", max = \"100\"}");
    let level = FillLevel { space: Part { used: 60, total: 100 }, inodes: Part::default() };
    let plan = Plan::new(&policy.limits().space, Used { level, images: 200 }, 10);
    assert_eq!((plan.least.bytes, plan.goal.bytes, plan.goal.inodes), (110, 110, 0));
    let plan = Plan::new(&policy.limits().space, Used { level, images: 0 }, 10);
    assert_eq!((plan.least.bytes, plan.goal.bytes), (20, 30));
    let all = FillLevel { space: Part { used: u64::MAX, total: u64::MAX }, ..level };
    let plan = Plan::new(&policy.limits().space, Used { level: all, images: u64::MAX }, u64::MAX);
    assert!(!plan.is_met());
}

/// The real values of a file system that is too small for both images.
#[test]
fn a_file_system_that_is_full_is_measured() {
    let site = Site::new();
    let root: &Path = site.store.root();
    let reason = make_room(&site.settings, root, policy("").limits(), 1 << 60).unwrap();
    assert!(reason.unwrap_err().starts_with("no room for 1.00 EiB: "));
}
