//! An image root whose file system returns errors, answers late, or is gone.

use super::mounted::{Mounted, ROOT};
use super::table::{Found, compare, ended};
use super::{NAME, launch, meets, of_root, on_n1, ours, seen, settled, unharmed, with_registry};
use crate::kit::{Output, Site};

#[test]
#[ignore = "needs a testbed: make test"]
fn errors() {
    let site = Site::new("");
    let mounted = Mounted::faulty(&site);
    with_registry(|| {
        meets(&site, "none, for comparison", &of_root(ROOT), launch);
        for (call, fault) in [
            ("lookup", "EIO at the lookup of a name"),
            ("getattr", "EIO at stat"),
            ("open", "EIO at open"),
            ("read", "EIO at read"),
        ] {
            mounted.fault(&format!("{call} eio"));
            meets(&site, fault, &of_root(ROOT), launch);
        }
    });
}

#[test]
#[ignore = "needs a testbed: make test"]
fn slow() {
    let site = Site::new("");
    let mounted = Mounted::faulty(&site);
    with_registry(|| {
        mounted.fault("lookup slow");
        meets(&site, "one second for each lookup of a name", &of_root(ROOT), launch);
    });
}

#[test]
#[ignore = "needs a testbed: make test"]
fn full() {
    let site = Site::new("");
    let _mounted = Mounted::full(&site);
    with_registry(|| meets(&site, "the file system is full", &of_root(ROOT), launch));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn gone() {
    let site = Site::new("");
    let mounted = Mounted::faulty(&site);
    with_registry(|| {
        mounted.dies();
        meets(&site, "the file server has died", &of_root(ROOT), launch);
        mounted.unmount();
        meets(&site, "unmounted, the mount point is empty", &of_root(ROOT), launch);
        on_n1(&site, &format!("rmdir {ROOT}"));
        meets(&site, "unmounted, the mount point does not exist", &of_root(ROOT), launch);
    });
}

/// The result is the same as for a launch by the path of the image.
#[test]
#[ignore = "needs a testbed: make test"]
fn vanishes_under_a_job() {
    let site = Site::new("");
    let run = |image: &str| -> (Output, String) {
        site.plugstack(&of_root(ROOT));
        let mounted = Mounted::faulty(&site);
        let before = seen(&site);
        // A file in the node's own /tmp, which is also visible in the container.
        const STARTED: &str = "/tmp/started";
        on_n1(&site, &format!("rm -f {STARTED}"));
        let script = format!("touch {STARTED}; sleep 3; cat /etc/image-name; echo ended");
        let output = std::thread::scope(|scope| {
            let job = scope.spawn(|| {
                site.srun(&["-w", "n1", "apptainer", "exec", image, "sh", "-c", &script])
            });
            on_n1(
                &site,
                &format!("timeout 60 sh -c 'until [ -e {STARTED} ]; do sleep 0.05; done'"),
            );
            mounted.dies();
            job.join().unwrap()
        });
        (output, settled(&site, &before))
    };
    let (typed, _) = run(&format!("{ROOT}/{NAME}"));
    let (hit, log) = run(&format!("docker://{NAME}"));
    assert_eq!((typed.status, &typed.stdout), (hit.status, &hit.stdout), "{hit:#?}");
    assert!(log.contains("event=hit"), "{log}");
    let found = Found {
        without: format!("launch by path: {}", ended(&typed)),
        with: format!("{}, like the launch by path", ended(&hit)),
        user: ours(&hit.stderr),
        admin: ours(&log),
    };
    compare("the file server dies while the job runs", &found);
    unharmed(&site);
}
