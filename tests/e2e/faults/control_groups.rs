//! Slurm with control groups, which most sites use. No process of a step can leave the step, so an
//! unkillable helper process cannot leave it either.

use super::aborted::health_check;
use super::hanging::helpers;
use super::mounted::{Mounted, ROOT, Timeout};
use super::table::{Found, compare};
use super::{NAME, WITHOUT, both, launch, of_root_with, on_n1, unharmed, with_registry};
use crate::kit::control_groups::{ControlGroups, Version};
use crate::kit::{IMAGE, SHARED, Site, WHICH};
use std::time::{Duration, Instant};

/// A timeout longer than the tests take, so that slurmstepd does not report the step as unkillable.
const PATIENT: &str = "UnkillableStepTimeout=180";

/// Runs a test with control groups of version 1 and then of version 2. `conf` is appended to
/// slurm.conf.
fn with_each(conf: &str, test: impl Fn(&Site, &ControlGroups<'_>)) {
    for version in [Version::V1, Version::V2] {
        let site = Site::new("");
        match ControlGroups::on(&site, "n1", version, conf) {
            Some(groups) => test(&site, &groups),
            None => eprintln!("skipped: this machine has no control groups of {version:?}"),
        }
    }
}

/// Every kind of launch, with image roots that do not answer. The processes that wait for them can
/// be killed.
#[test]
#[ignore = "needs a testbed: make test"]
fn all_processes_end_with_the_step() {
    with_each("", |site, groups| {
        site.store(IMAGE, NAME);
        let script = format!("apptainer exec docker://{NAME} {}", WHICH.join(" "));
        let run = |root: &str, nested: Option<&str>| {
            let settings = format!("lookup_timeout=1 nested={}", nested.unwrap_or("off"));
            site.plugstack(&of_root_with(root, &settings));
            let output = match nested {
                None => launch(site),
                Some(_) => site.srun(&["-w", "n1", "bash", "-c", &script]),
            };
            output.ran(IMAGE);
            unharmed(site);
            assert_eq!(groups.processes(), [""; 0], "{root} {settings}");
        };
        with_registry(|| {
            for nested in [None, Some("path"), Some("preload")] {
                run(SHARED, nested);
                run("/srv/empty", nested);
                for fault in ["read hang", "all eio"] {
                    // A new mount, because a process that opens a file is unkillable while another
                    // process waits for one of the file's pages.
                    let mounted = Mounted::faulty(site);
                    mounted.fault(fault);
                    run(ROOT, nested);
                }
                let mounted = Mounted::faulty(site);
                mounted.stops();
                run(ROOT, nested);
            }
        });
    });
}

/// The step waits for the helper process, and srun and the node wait for the step, until the health
/// check aborts the file system.
#[test]
#[ignore = "needs a testbed: make test"]
fn by_the_health_check() {
    with_each(PATIENT, |site, groups| {
        let check = health_check();
        let mounted = Mounted::faulty(site);
        mounted.fault("all hang");
        let line = of_root_with(ROOT, "lookup_timeout=1");
        let found = with_registry(|| {
            std::thread::scope(|scope| {
                let found = scope.spawn(|| both(site, [WITHOUT, &line], launch));
                let limit = Instant::now() + Duration::from_secs(60);
                while site.log("n1").matches("exited with exit code 0").count() < 2 {
                    assert!(Instant::now() < limit, "the task does not end: {}", site.log("n1"));
                    std::thread::sleep(Duration::from_millis(50));
                }
                assert!(groups.processes().iter().any(|name| name == "sifcache-probe"));
                assert!(!found.is_finished());
                assert!(on_n1(site, &check).contains("was given up"));
                found.join().unwrap()
            })
        });
        unharmed(site);
        assert_eq!(groups.processes(), [""; 0]);
        compare(
            "every call hangs, `proctrack/cgroup`, `examples/fuse-health-check` aborts the connection",
            &waited(found),
        );
    });
}

/// The result of a launch whose step waited for its helper process.
fn waited(found: Found) -> Found {
    Found { with: format!("{}; srun returns when the connection is aborted", found.with), ..found }
}

/// The same if the kernel aborts the file system.
#[test]
#[ignore = "needs a testbed: make test"]
fn by_the_kernel() {
    with_each(PATIENT, |site, groups| {
        let Some(timeout) = Timeout::of_a_second() else { return };
        let mounted = Mounted::faulty_as_set(site);
        drop(timeout);
        mounted.fault("all hang");
        let line = of_root_with(ROOT, "lookup_timeout=1");
        let found = with_registry(|| both(site, [WITHOUT, &line], launch));
        unharmed(site);
        assert_eq!(groups.processes(), [""; 0]);
        compare(
            "every call hangs, `proctrack/cgroup`, the kernel aborts the connection",
            &waited(found),
        );
    });
}

/// If nothing aborts the file system, Slurm drains the node, as it does for every process that it
/// cannot end.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_node_is_drained_if_nothing_aborts() {
    with_each("UnkillableStepTimeout=10", |site, groups| {
        let mounted = Mounted::faulty(site);
        mounted.fault("all hang");
        let line = of_root_with(ROOT, "lookup_timeout=1");
        let mut found = with_registry(|| both(site, [WITHOUT, &line], launch));
        // The other nodes run new jobs meanwhile.
        assert_eq!(site.srun(&["-w", "n2", "true"]).status, 0);
        let drained =
            "for n in $(seq 1200); do sinfo -h -n n1 -R -o %E | grep . && exit; sleep 0.1; done";
        let reason = site.exec(&[], &["bash", "-c", drained], "").stdout;
        assert!(reason.starts_with("Kill task failed"), "{reason:?}");
        assert_eq!(helpers(site), 1);
        mounted.dies();
        on_n1(site, "while pgrep -x sifcache-probe || pgrep -x slurmstepd; do sleep 0.02; done");
        let resume = ["scontrol", "update", "nodename=n1", "state=resume"];
        assert_eq!(site.exec(&[], &resume, "").status, 0);
        unharmed(site);
        assert_eq!(groups.processes(), [""; 0]);
        found.with += "; srun returns after UnkillableStepTimeout, and **the node is drained**";
        compare("every call hangs, `proctrack/cgroup`, the connection is not aborted", &found);
    });
}
