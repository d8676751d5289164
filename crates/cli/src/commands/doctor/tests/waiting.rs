//! Tests of the checks of jobs that wait for missing images.

use super::Tree;
use crate::demand::message::Answer;
use crate::error::Failure;
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

/// Each problem on the path to the listener, with and without jobs that wait.
#[test]
fn misses_must_reach_the_listener() {
    let Some(mut tree) = Tree::new() else { return };
    tree.write(BEAT, "1\n");
    let area = "missing images";
    for wait in ["on_miss=wait", ""] {
        tree.arguments = format!("image_root=/sif filler=ctl syslog=off {wait}");
        tree.ask = |_| Ok(Answer::Accepted);
        assert_eq!(problems(&tree), [""; 0]);
        tree.ask = |_| Ok(Answer::Busy(10));
        assert_eq!(problems(&tree), ["Note missing images: listener"]);
        tree.ask = |_| Ok(Answer::Refused("the credential has expired".to_owned()));
        assert_eq!(problems(&tree), ["Warn missing images: listener"]);
        assert!(tree.advice(area, "listener").contains("the credential has expired; misses of"));
        tree.ask = |filler| {
            let problem = "Connection refused".to_owned();
            Err(Failure::Filler { address: filler.to_string(), problem })
        };
        assert_eq!(problems(&tree), ["Warn missing images: listener"]);
        let advice = tree.advice(area, "listener");
        assert!(advice.contains("the filler at ctl:7433: Connection refused; "), "{advice}");
        tree.remove("/etc/slurm/plugstack.conf");
    }
    tree.ask = |_| Ok(Answer::Accepted);
    tree.remove("/usr/libexec/sifcache/sifcache");
    assert_eq!(problems(&tree), ["Warn missing images: command"]);
    assert!(tree.advice(area, "command").contains("/usr/libexec/sifcache/sifcache is missing"));
}
