//! Tests of the ways in which commands outside of jobs reach the shims.

use super::super::finding::{Finding, Level};
use super::super::login_node::{MARKER, check};
use super::Tree;

const SHIM: &str = "ok program: apptainer in PATH is the shim, /usr/libexec/sifcache/bin/apptainer";
const RUNTIME: &str = "apptainer in PATH is /usr/bin/apptainer, not the shim";

/// A login node: no job, and no slurmd.
fn login_node() -> Option<Tree> {
    let mut tree = Tree::new()?;
    tree.in_job = false;
    Some(tree)
}

/// Level, check and message of each finding.
fn findings(tree: &Tree) -> Vec<String> {
    let line = |f: Finding| format!("{:?} {}: {}", f.level, f.check, f.message);
    let lines = check(&tree.host()).into_iter().map(line);
    lines.map(|line| line.replacen("Ok ", "ok ", 1)).collect()
}

#[test]
fn neither_way_is_in_use() {
    let Some(mut tree) = login_node() else { return };
    tree.search = "/usr/bin";
    let off = "ok way: neither the profile snippet nor the module: launches and pulls outside of \
               jobs are not covered";
    assert_eq!(findings(&tree), [off.to_owned(), format!("ok program: {RUNTIME}")]);
    assert_eq!(tree.problems(), ["Note runtime: found"]);
    // A user can put the shims in PATH without either of them.
    tree.search = "/usr/libexec/sifcache/bin:/usr/bin";
    assert_eq!(findings(&tree), [off, SHIM]);
    tree.in_job = true;
    assert_eq!(findings(&tree), ["ok way: jobs run on this host, where nested= applies"]);
}

#[test]
fn the_profile_snippet() {
    let Some(mut tree) = login_node() else { return };
    tree.write(MARKER, "");
    let way = format!("ok way: profile snippet: {MARKER} exists");
    assert_eq!(findings(&tree), [&way, SHIM].map(str::to_owned));
    tree.search = "/usr/bin";
    assert_eq!(findings(&tree), [way, format!("Note program: {RUNTIME}")]);
    tree.remove("/etc/profile.d/zz-sifcache.sh");
    let missing =
        format!("Fail way: {MARKER} exists, but /etc/profile.d/zz-sifcache.sh is missing");
    assert_eq!(findings(&tree)[0], missing);
}

#[test]
fn the_module() {
    let Some(mut tree) = login_node() else { return };
    tree.loaded = "gcc/14:sifcache/0.2.0".to_owned();
    let way = "ok way: module: sifcache/0.2.0 is loaded";
    assert_eq!(findings(&tree), [way, SHIM]);
    // The module of a runtime was loaded later.
    tree.program("/opt/bin/apptainer");
    tree.search = "/opt/bin:/usr/libexec/sifcache/bin:/usr/bin";
    let other = "Warn program: apptainer in PATH is /opt/bin/apptainer, not the shim";
    assert_eq!(findings(&tree), [way, other]);
    assert!(tree.advice("outside of jobs", "program").contains("after the module of the runtime"));
    tree.write(MARKER, "");
    assert_eq!(findings(&tree).len(), 3, "both ways are in use");
    tree.loaded = "sifcache-tools/1".to_owned();
    assert!(!findings(&tree).iter().any(|line| line.contains("module: ")));
}

#[test]
fn a_login_node_without_settings() {
    let Some(mut tree) = login_node() else { return };
    tree.write("/etc/slurm/plugstack.conf", "");
    tree.loaded = "sifcache".to_owned();
    assert!(findings(&tree)[1].starts_with("Warn settings: there are no valid settings"));
    assert!(tree.advice("outside of jobs", "settings").contains("sackd"));
}

/// With the file of the snippet, login shells outside of jobs are checked too.
#[test]
fn login_shells_outside_of_jobs() {
    let Some(mut tree) = login_node() else { return };
    tree.arguments = "image_root=/sif nested=off".to_owned();
    let shells = |tree: &Tree| super::super::login::check(&tree.host());
    assert_eq!(shells(&tree)[0].level, Level::Skipped);
    tree.write(MARKER, "");
    let found = shells(&tree);
    let message = "a login shell (bash) outside of jobs puts the shims first in PATH";
    assert_eq!((found.len(), found[0].message.as_str()), (1, message));
    tree.answer("/usr/bin/bash -c", "\n/usr/bin:/bin");
    let found = shells(&tree);
    assert_eq!((found.len(), found[0].level), (1, Level::Warn));
    assert!(found[0].message.contains("outside of jobs has no shims in PATH"), "{found:?}");
    // In a job with nested=path, the same shell is checked once more.
    tree.remove("/etc/slurm/plugstack.conf");
    tree.arguments = "image_root=/sif".to_owned();
    assert_eq!(shells(&tree).len(), 2);
}
