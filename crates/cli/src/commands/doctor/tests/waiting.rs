//! Tests of the checks of jobs that wait for missing images.

use super::Tree;
use std::fs::File;
use std::time::{Duration, SystemTime};

const BEAT: &str = "/sif/.sifcache/queue/beat";

/// The problems of this area.
fn problems(tree: &Tree) -> Vec<String> {
    tree.problems().into_iter().filter(|line| line.contains("missing images")).collect()
}

#[test]
fn a_filler_must_run_if_jobs_wait() {
    let Some(mut tree) = Tree::new() else { return };
    tree.arguments = "image_root=/none:/sif on_miss=wait:60:fail".to_owned();
    let filler = ["Warn missing images: filler"];
    assert_eq!(problems(&tree), filler);
    let advice = tree.advice("missing images", "filler");
    assert!(
        advice.contains("is not running; ") && advice.contains("start sifcache-fill"),
        "{advice}"
    );
    tree.write(BEAT, "1\n");
    assert_eq!(problems(&tree), [""; 0]);
    let old = SystemTime::now().checked_sub(Duration::from_secs(3600)).unwrap();
    File::options().write(true).open(tree.at(BEAT)).unwrap().set_modified(old).unwrap();
    assert_eq!(problems(&tree), filler);
    assert!(tree.advice("missing images", "filler").contains("stopped 3600 seconds ago"));
}

#[test]
fn requests_need_syslog_and_a_root() {
    let Some(mut tree) = Tree::new() else { return };
    tree.write(BEAT, "1\n");
    tree.arguments = "image_root=/sif on_miss=wait syslog=off".to_owned();
    assert_eq!(problems(&tree), ["Warn missing images: request"]);
    tree.remove("/etc/slurm/plugstack.conf");
    tree.arguments = "image_root=pulls=/sif on_miss=wait".to_owned();
    assert_eq!(problems(&tree), ["Warn missing images: filler"]);
    assert!(tree.advice("missing images", "filler").contains("no image root has sifcache's own"));
    tree.remove("/etc/slurm/plugstack.conf");
    tree.arguments = "image_root=/sif on_miss=fail syslog=off".to_owned();
    assert_eq!(problems(&tree), [""; 0]);
}
