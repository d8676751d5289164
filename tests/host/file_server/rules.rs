//! The limits that the counts must keep, and cases that are not in the table.

use super::{Served, image, metadata, of};
use faultfs::Counts;
use sifcache_core::queue;
use sifcache_core::reference::Reference;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn counts(of: &[(&'static str, usize)]) -> Counts {
    of.iter().copied().collect()
}

const HIT: [(&str, usize); 5] =
    [("getattr", 2), ("lookup", 2), ("open", 1), ("read", 1), ("release", 1)];

#[test]
fn a_hit_in_the_first_root() {
    let first = |number: usize, root: &Path| {
        if number == 0 {
            image(root, "o/i:1");
            image(root, "quay.io/o/i:1");
            image(root, "quay.io/o/p/i:1");
        }
    };
    for count in [1, 3, 10] {
        let Some(served) = Served::mount_points(count, &first) else { return };
        let launch = served.plugin("o/i:1", "");
        assert_eq!(launch.image, served.roots[0].join("o/i:1").to_str().unwrap());
        assert_eq!(launch.counts, counts(&HIT));
        assert_eq!(metadata(&launch.counts), 5);
        // Each further directory costs one lookup more.
        for (name, expected) in [("quay.io/o/i:1", 6), ("quay.io/o/p/i:1", 7)] {
            let deeper = served.plugin(name, "");
            assert_eq!(deeper.image, served.roots[0].join(name).to_str().unwrap());
            assert_eq!(metadata(&deeper.counts), expected);
        }
    }
}

/// A hit in a root costs a miss for each root before it.
#[test]
fn a_hit_in_each_root() {
    let Some(none) = Served::mount_points(1, &|_, root| image(root, "o/other:1")) else { return };
    let miss = none.plugin("o/i:1", "").counts;
    for count in [3, 10] {
        for number in 0..count {
            let fill = |this: usize, root: &Path| {
                image(root, if this == number { "o/i:1" } else { "o/other:1" });
            };
            let served = Served::mount_points(count, &fill).unwrap();
            let launch = served.plugin("o/i:1", "");
            assert_eq!(launch.image, served.roots[number].join("o/i:1").to_str().unwrap());
            for (name, one) in counts(&HIT) {
                assert_eq!(of(&launch.counts, name), number * of(&miss, name) + one, "{name}");
            }
        }
    }
}

/// Nothing is looked up below a directory that does not exist, and such a root is not checked.
#[test]
fn each_missing_directory_costs_one_request() {
    let Some(served) = Served::mount_points(3, &|_, _| ()) else { return };
    for (reference, lookups) in [("quay.io/o/i:1", 1), ("o/i:1", 2)] {
        for launch in [served.plugin(reference, ""), served.shim(reference, "")] {
            assert_eq!(launch.counts, counts(&[("lookup", 3 * lookups)]), "{reference}");
        }
    }
    // The root itself is missing.
    let served = Served::below_a_mount_point(1, &|_, root| fs::remove_dir(root).unwrap()).unwrap();
    for settings in ["", "untrusted=accept"] {
        let launch = served.plugin("o/i:1", settings);
        assert_eq!(launch.counts, counts(&[("lookup", 1)]), "{settings}");
    }
}

/// Without checks of owners and modes, only the file itself is checked: its type before it is
/// opened, and its size.
#[test]
fn without_checks_of_owners() {
    let Some(served) = Served::mount_points(1, &|_, root| image(root, "o/i:1")) else { return };
    let launch = served.plugin("o/i:1", "untrusted=accept");
    let expected = [("lookup", 3), ("open", 1), ("read", 1), ("release", 1)];
    assert_eq!(launch.counts, counts(&expected));
}

/// A job that waits reads the image's queue entry. Here, the filler refuses the image, which ends the
/// wait after some polls.
#[test]
fn a_poll_of_a_job_that_waits() {
    let reference = Reference::parse(b"o/i:1").unwrap();
    let fill = |_: usize, root: &Path| {
        let entry = root.join(queue::file(&reference));
        fs::create_dir_all(entry.parent().unwrap()).unwrap();
        let text = format!(
            "reference={reference} state=refused size=0 received=0 ahead=0 beat=1 reason=policy\n"
        );
        fs::write(entry, text).unwrap();
    };
    let Some(served) = Served::mount_points(1, &fill) else { return };
    let miss = served.plugin("o/i:1", "");
    assert_eq!(miss.counts, counts(&[("lookup", 2)]));
    let waits = served.plugin("o/i:1", "on_miss=wait");
    let polls = of(&waits.counts, "open");
    assert!(polls > 0);
    let each = ["getattr", "open", "read", "release"].map(|name| (name, polls));
    assert_eq!(waits.counts, counts(&[&each[..], &[("lookup", 2 + 3 * polls)]].concat()));
}

/// The walk by paths checks each link, and the directories on the path of its target.
#[test]
fn a_hit_behind_a_link() {
    let fill = |_: usize, root: &Path| {
        image(root, "o/real.sif");
        symlink("real.sif", root.join("o/i:1")).unwrap();
    };
    let Some(served) = Served::mount_points(1, &fill) else { return };
    let launch = served.plugin("o/i:1", "");
    assert_eq!(launch.image, served.roots[0].join("o/i:1").to_str().unwrap());
    let expected =
        [("getattr", 7), ("lookup", 12), ("open", 1), ("read", 1), ("readlink", 2), ("release", 1)];
    assert_eq!(launch.counts, counts(&expected));
}
