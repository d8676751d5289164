//! Images that change during a lookup, and links that lead nowhere.

use super::table::{Found, compare};
use super::{NAME, launch, meets, typed, unharmed, with, with_registry};
use crate::kit::{IMAGE, OTHER, Output, SHARED, Site, sif};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
#[ignore = "needs a testbed: make test"]
fn links_in_a_circle() {
    let site = Site::new("");
    site.link("i:1", NAME);
    with_registry(|| {
        meets(&site, "the image is a link to itself", &with(), launch);
        fs::remove_dir_all(site.at("ctl", SHARED).join("o")).unwrap();
        symlink("determinedai", site.at("ctl", SHARED).join("o")).unwrap();
        meets(&site, "the image's directory is a link to itself", &with(), launch);
    });
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_world_writable_root() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    fs::set_permissions(site.at("ctl", SHARED), fs::Permissions::from_mode(0o777)).unwrap();
    with_registry(|| meets(&site, "all users can write to the image root", &with(), launch));
}

/// Calls `change` repeatedly while `times` launches run, and returns the output of the launches.
fn meanwhile(
    times: usize,
    change: impl Fn(usize) + Sync,
    launch: impl Fn() -> Output,
) -> Vec<Output> {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                change(round);
                if ended.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let outputs = (0..times).map(|_| launch()).collect();
        ended.store(true, Ordering::Relaxed);
        outputs
    })
}

/// Each launch starts one of the two images, and that image is complete.
#[test]
#[ignore = "needs a testbed: make test"]
fn replaced_by_rename() {
    let site = Site::with_line(&with());
    let path = site.store(IMAGE, NAME);
    let new = site.at("ctl", SHARED).join("new");
    let replace = |round: usize| {
        fs::copy(sif([OTHER, IMAGE][round % 2]), &new).unwrap();
        fs::rename(&new, &path).unwrap();
    };
    let outputs = meanwhile(30, replace, || launch(&site));
    let names: BTreeSet<String> = outputs
        .iter()
        .map(|output| {
            assert_eq!(output.status, 0, "{output:#?}");
            output.stdout.trim_end().to_owned()
        })
        .collect();
    assert_eq!(names, BTreeSet::from([IMAGE.to_owned(), OTHER.to_owned()]));
    found("the image is repeatedly replaced by a rename", "runs, a hit: the old or the new image");
    unharmed(&site);
}

/// If the image is removed or truncated between the lookup and the start, the launch fails like a
/// launch by path. If this happens before the lookup, it is a miss.
#[test]
#[ignore = "needs a testbed: make test"]
fn removed_cut_and_closed() {
    let site = Site::with_line(&with());
    let path = site.store(IMAGE, NAME);
    let content = fs::read(&path).unwrap();
    let back = |path: &Path| {
        let new = path.with_extension("new");
        fs::write(&new, &content).unwrap();
        fs::rename(new, path).unwrap();
    };
    let remove = |_| {
        fs::remove_file(&path).unwrap();
        back(&path);
    };
    let cut = |_| {
        fs::write(&path, &content[..content.len() / 2]).unwrap();
        back(&path);
    };
    let close = |_| {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    };
    let faults: [(&str, &(dyn Fn(usize) + Sync)); 3] = [
        ("the image is repeatedly removed and restored", &remove),
        ("the image is repeatedly truncated and restored", &cut),
        ("the image is repeatedly made unreadable and readable again", &close),
    ];
    with_registry(|| {
        for (fault, change) in faults {
            for output in meanwhile(30, change, || launch(&site)) {
                check(&output);
            }
            // A launch by path fails in the same ways, and more often.
            let inside = format!("{SHARED}/{NAME}");
            for output in meanwhile(10, change, || typed(&site, &inside)) {
                check(&output);
            }
            found(
                fault,
                "runs, a hit or a miss; or fails like a launch by path, if the change comes \
                 between lookup and start",
            );
            unharmed(&site);
        }
    });
}

/// Asserts that the image ran, or that the runtime or its program reported an error. The changed
/// part can be anywhere in the image.
#[track_caller]
fn check(output: &Output) {
    let printed = output.stderr.lines().any(|line| !line.starts_with("srun: "));
    match output.status {
        0 => assert_eq!(output.stdout.trim_end(), IMAGE, "{output:#?}"),
        // SIGBUS or SIGSEGV ends a program whose pages can no longer be read.
        _ => assert!(printed || [135, 139].contains(&output.status), "{output:#?}"),
    }
    assert!(!output.stderr.contains("sifcache: "), "{output:#?}");
}

#[track_caller]
fn found(fault: &str, with: &str) {
    let found = Found {
        without: "not affected".to_owned(),
        with: with.to_owned(),
        user: String::new(),
        admin: "a hit or a miss for each launch".to_owned(),
    };
    compare(fault, &found);
}
