//! Tests of the checks of pulls and builds.

use super::super::finding::Finding;
use super::super::pulls::check;
use super::Tree;
use jiff::{SignedDuration, Timestamp};
use std::fs;

const USAGE: &str = "/sif/.sifcache/last_used.json";

/// A site with these settings.
fn site(settings: &str) -> Option<Tree> {
    let mut tree = Tree::new()?;
    tree.arguments = format!("image_root=/local:/sif {settings}");
    fs::create_dir(tree.at("/local")).unwrap();
    Some(tree)
}

/// Level, check and message of each finding.
fn findings(tree: &Tree) -> Vec<String> {
    let line = |f: Finding| format!("{:?} {}: {}", f.level, f.check, f.message);
    check(&tree.host()).into_iter().map(line).collect()
}

/// The finding of one check.
fn of(tree: &Tree, check: &str) -> String {
    let part = format!(" {check}: ");
    findings(tree).into_iter().find(|line| line.contains(&part)).unwrap_or_default()
}

/// Logs of n1 that begin and end so many days ago, with a line of the plugin at the end.
fn logs(tree: &Tree, from: i64, to: i64) {
    let day = |days: i64| Timestamp::now() - SignedDuration::from_hours(24 * days);
    let (from, to) = (day(from), day(to));
    let node = format!(r#"{{"spans":[{{"from":"{from}","to":"{to}"}}],"used":"{to}"}}"#);
    tree.write(USAGE, format!(r#"{{"nodes":{{"n1":{node}}},"last":{{}}}}"#));
}

#[test]
fn the_setting() {
    let copy = "Ok pull: pull=copy: a pull of an image in the cache makes a copy of it, and a build \
                uses it";
    let off = "Note pull: pull=off: the runtime pulls and builds images from their registry, even \
               if they are in the cache";
    let nested = "; with nested=off, only if it is a task's own command";
    for (settings, expected) in [
        ("", copy.to_owned()),
        ("nested=off", format!("{copy}{nested}")),
        ("pull=off", off.to_owned()),
        ("pull=off nested=off", off.to_owned()),
    ] {
        let Some(tree) = site(settings) else { return };
        assert_eq!(findings(&tree), [expected], "{settings}");
    }
    let Some(tree) = site("pull=link") else { return };
    assert!(of(&tree, "pull").contains("pull=link: a pull of an image in the cache makes a link"));
    let Some(tree) = site("pull=often") else { return };
    assert_eq!(findings(&tree), ["Skipped pull: without settings, pulls are left to the runtime"]);
}

#[test]
fn pulls_as_own_commands() {
    let Some(mut tree) = site("nested=off") else { return };
    tree.remove("/usr/libexec/sifcache/sifcache-shim");
    let missing = "Warn shim: /usr/libexec/sifcache/sifcache-shim: missing, so the runtime pulls \
                   images from their registry";
    assert_eq!(of(&tree, "shim"), missing);
    for (release, nested, part) in [
        ("23.11.0", "off", ""),
        ("23.02.7", "off", "with this value of nested= is left to the runtime"),
        ("23.02.7", "preload", "with this value of nested= is left to the runtime"),
        ("23.02.7", "path", "that names the runtime with its path is left to the runtime"),
        ("23.02.7", "path pull=off", ""),
    ] {
        tree.answer("srun --version", &format!("slurm {release}\n"));
        tree.arguments = format!("image_root=/sif nested={nested}");
        let _ = fs::remove_file(tree.at("/etc/slurm/plugstack.conf"));
        let finding = of(&tree, "own-command");
        assert!(finding.ends_with(part), "{release}, {nested}: {finding}");
        assert_eq!(finding.is_empty(), part.is_empty(), "{release}, {nested}: {finding}");
    }
}

/// Pulls link to names with a digest in the last image root.
#[test]
fn names_with_a_digest() {
    let Some(mut tree) = site("pull=link") else { return };
    let names = |tree: &Tree| of(tree, "digest-names");
    assert_eq!(names(&tree), "Skipped digest-names: /sif: has no files yet");
    tree.write("/sif/o/i:1", "");
    tree.write("/local/o/i@sha256:0f", "");
    tree.write("/sif/.sifcache/metadata/o/i@sha256:0f", "");
    let none = "Warn digest-names: /sif: none of 1 files has a name with a digest, so pulls make \
                copies";
    assert_eq!(names(&tree), none);
    assert!(tree.advice("pulls and builds", "digest-names").contains("`sifcache add` and"));
    tree.link("/sif/o/i@sha256:0f", "i:1");
    let symbolic = "Warn digest-names: /sif: names with a digest are symbolic links, so pulls make \
                    copies";
    assert_eq!(names(&tree), symbolic);
    tree.remove("/sif/o/i@sha256:0f");
    fs::hard_link(tree.at("/sif/o/i:1"), tree.at("/sif/o/i@sha256:0f")).unwrap();
    let found = "Ok digest-names: /sif: has names with a digest, to which pulls link";
    assert_eq!(names(&tree), found);
    let _ = fs::remove_file(tree.at("/etc/slurm/plugstack.conf"));
    tree.arguments = "image_root=/sif:/none pull=link".to_owned();
    assert_eq!(names(&tree), "Skipped digest-names: /none: is not on this host");
    let _ = fs::remove_file(tree.at("/etc/slurm/plugstack.conf"));
    tree.arguments = "image_root=pulls=/sif pull=link".to_owned();
    assert!(names(&tree).starts_with("Warn digest-names: all image roots have the layout"));
}

/// `gc` removes no image to which files can link if a log is missing.
#[test]
fn logs_of_links() {
    let Some(mut tree) = site("pull=link") else { return };
    let refuses = "so `sifcache gc` removes no image to which files of users can link";
    let grace = |tree: &Tree| of(tree, "link-grace");
    let nothing = format!("Warn link-grace: /sif: `sifcache hits` has saved no logs, {refuses}");
    assert_eq!(grace(&tree), nothing);
    assert!(
        tree.advice("pulls and builds", "link-grace").contains("run `sifcache hits` every day")
    );
    logs(&tree, 31, 0);
    let complete = "Ok link-grace: /sif: `sifcache gc` has the logs of pulls of the last 30 days";
    assert_eq!(grace(&tree), complete);
    logs(&tree, 29, 0);
    assert!(grace(&tree).starts_with("Note link-grace: /sif: the log of n1 begins on "));
    logs(&tree, 40, 5);
    assert!(grace(&tree).starts_with("Warn link-grace: /sif: the log of n1 ends on "));
    logs(&tree, 31, 0);
    tree.answer("sinfo --all", "n1|idle\nn2|idle\nn3|idle\nn4|down\n");
    let no_log = format!("Warn link-grace: /sif: there is no log of n2 and 1 more, {refuses}");
    assert_eq!(grace(&tree), no_log);
}
