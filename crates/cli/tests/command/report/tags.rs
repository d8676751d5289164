//! Tags that were not compared with their registries for a long time, and the commands that do it.

use super::fixes::{follow, problem};
use super::{ago, hit, line, report, rows, run, script, text};
use crate::registry::{Deed, Response, Server};
use crate::tree::Tree;
use serde_json::Value;
use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const LOG: &str = "--root TOP/root --log TOP/log";

/// A site with two images, which were added 31 and 30 days ago, and their registry.
struct Site {
    tree: Tree,
    /// Whether the registry answers.
    is_up: Arc<AtomicBool>,
    /// The references of the images.
    images: [String; 2],
    _registry: Server,
}

impl Site {
    fn new() -> Option<Self> {
        let tree = Tree::new()?;
        // Its registry would be docker.io.
        fs::remove_file(tree.path("root/o/good:1")).unwrap();
        let is_up = Arc::new(AtomicBool::new(true));
        let answers = Arc::clone(&is_up);
        let registry = Server::new(move |request| {
            let tag = request.line.rsplit('/').next().unwrap_or_default();
            Deed::Answer(match (answers.load(Ordering::Relaxed), tag) {
                (false, _) => Response::new(500, ""),
                (true, "") => Response::new(200, "{}"),
                (true, tag) => Response::new(200, "").with("Docker-Content-Digest", &digest(tag)),
            })
        });
        let images = ["1", "2"].map(|tag| {
            let reference = format!("{}/o/i:{tag}", registry.address);
            let path = tree.image(format!("root/{reference}"), 2);
            let pinned = format!("root/{}/o/i@{}", registry.address, digest(tag));
            fs::hard_link(&path, tree.path(pinned)).unwrap();
            let days = 32 - tag.parse::<i64>().unwrap();
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(ago(days, 0).into()).unwrap();
            reference
        });
        let hit = hit(&tree, 1, 1001, "tasks=1", &images[0]);
        tree.file("log", line(ago(0, 1), "n1", &hit).as_bytes());
        script(&tree, "apptainer", "echo test 1");
        Some(Self { tree, is_up, images, _registry: registry })
    }

    fn report(&self, more: &str) -> Value {
        report(&self.tree, &format!("{LOG}{more}"))
    }

    /// Follows a command of a report. The registry has no TLS.
    fn follow(&self, command: &Value, expected: i32) {
        let output = follow(&self.tree, &format!("{} --no-https", text(command)));
        assert_eq!(output.status.code(), Some(expected), "{command}: {output:?}");
    }

    /// The words after `sifcache` that refresh something in the image root.
    fn refresh(&self, what: &str) -> String {
        let root = self.tree.text("root");
        format!("sifcache refresh --root {root} --into {root} {what}")
    }
}

fn digest(tag: &str) -> String {
    format!("sha256:{}", tag.repeat(64))
}

/// The problems whose kind begins with `refresh-`.
fn refresh_problems(report: &Value) -> Vec<&Value> {
    let all = rows(&report["problems"]["data"]).iter();
    all.filter(|one| text(&one["kind"]).starts_with("refresh-")).collect()
}

/// Without `refresh --all`, all tags are one note, or one problem if it ran before.
#[test]
fn tags_that_nothing_compares_are_one_row() {
    let Some(site) = Site::new() else { return };
    let found = site.report("");
    let never = problem(&found, "refresh-overdue", &site.images[0]);
    assert_eq!(refresh_problems(&found).len(), 1, "{found:#}");
    assert_eq!((&never["severity"], &never["count"]), (&"note".into(), &2.into()));
    let added = ago(31, 0).strftime("%Y-%m-%d").to_string();
    let root = site.tree.text("root");
    let what = format!(
        "its tag was last pulled or compared with its registry on {added}, and refresh --all never \
         ran for {root}; and others"
    );
    assert_eq!((text(&never["what"]), &never["source"]), (what.as_str(), &"roots".into()));
    assert_eq!(text(&never["command"]), site.refresh("--all"));
    let page = run(&site.tree, &format!("report --html - {LOG}"));
    let page = String::from_utf8(page.stdout).unwrap();
    // The page lets long paths break after a slash.
    let shown = "and refresh --all never ran for /";
    assert!(page.contains(shown) && page.contains(&site.refresh("--all")), "{page}");
    site.follow(&never["command"], 0);
    assert_eq!(refresh_problems(&site.report("")), [""; 0]);
    // That run was long ago.
    let path = site.tree.path("root/.sifcache/runs/refresh.json");
    let mut saved: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    saved["tags"]["all"] = "2020-01-01T00:00:00Z".into();
    fs::write(&path, saved.to_string()).unwrap();
    let found = site.report("");
    let overdue = problem(&found, "refresh-overdue", &site.images[0]);
    assert_eq!(overdue["severity"], "problem");
    assert!(text(&overdue["what"]).contains("last ran for"), "{overdue}");
    let said = String::from_utf8(run(&site.tree, &format!("report {LOG}")).stdout).unwrap();
    assert!(said.contains(&format!("  {}: its tag was last", site.images[0])), "{said}");
}

/// `refresh --all` runs, but its registry does not answer.
#[test]
fn tags_that_cannot_be_compared_are_listed() {
    let Some(site) = Site::new() else { return };
    site.is_up.store(false, Ordering::Relaxed);
    site.follow(&site.refresh("--all").into(), 1);
    let found = site.report("");
    let all = refresh_problems(&found);
    let listed: Vec<&str> = all.iter().map(|one| text(&one["subject"])).collect();
    assert_eq!(listed, site.images.each_ref());
    for (one, image) in all.iter().zip(&site.images) {
        assert_eq!((&one["kind"], &one["count"]), (&"refresh-failed".into(), &1.into()));
        assert_eq!((&one["severity"], &one["source"]), (&"problem".into(), &"roots".into()));
        assert_eq!(text(&one["command"]), site.refresh(image));
    }
    let said = String::from_utf8(run(&site.tree, &format!("report {LOG}")).stdout).unwrap();
    assert!(said.contains(&format!("  {}: refresh --all fails for it", site.images[0])), "{said}");
    let page = run(&site.tree, &format!("report --html - {LOG}"));
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("refresh --all fails for it"), "{page}");
    // At most `--top` of them.
    let found = site.report(" --top 1");
    let [first, more] = refresh_problems(&found)[..] else { panic!("{found:#}") };
    assert_eq!(text(&first["subject"]), site.images[0]);
    assert_eq!((&more["count"], text(&more["command"])), (&1.into(), &*site.refresh("--all")));
    // The command for one of them.
    site.is_up.store(true, Ordering::Relaxed);
    site.follow(&first["command"], 0);
    let found = site.report("");
    let [other] = refresh_problems(&found)[..] else { panic!("{found:#}") };
    assert_eq!(text(&other["subject"]), site.images[1]);
}
