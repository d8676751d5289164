//! An image root that does not answer until the kernel or the site aborts its file system: then all
//! processes that wait for it continue.

use super::hanging::helpers;
use super::mounted::{Mounted, ROOT, Timeout};
use super::table::compare;
use super::{WITHOUT, both, launch, of_root_with, on_n1, seen, settled, unharmed, with_registry};
use crate::kit::{SHARED, Site, push};
use std::path::Path;

/// The directory through which FUSE file systems can be aborted.
const CONNECTIONS: &str = "/sys/fs/fuse/connections";

/// A site can let the kernel end the wait; the kernel checks about every 15 seconds. The test does
/// not kill the server.
#[test]
#[ignore = "needs a testbed: make test"]
fn by_the_kernel() {
    let site = Site::new("");
    for (call, fault) in [
        ("lookup", "the lookup of a name hangs, the kernel aborts the connection"),
        ("read", "read hangs, the kernel aborts the connection"),
    ] {
        // A file system keeps the timeout that was set when it was mounted.
        let Some(timeout) = Timeout::of_a_second() else { return };
        let mounted = Mounted::faulty_as_set(&site);
        let line = of_root_with(ROOT, "lookup_timeout=600");
        site.plugstack(&line);
        let doctor = on_n1(&site, "sifcache doctor || true");
        assert!(doctor.contains("fuse; the kernel aborts the connection after 1 s"), "{doctor}");
        drop(timeout);
        mounted.fault(&format!("{call} hang"));
        with_registry(|| {
            let mut found = both(&site, [WITHOUT, &line], launch);
            // The aborted server may already be unmounted when the next lookup runs.
            let first = found.admin.lines().next().unwrap_or_default();
            found.admin = format!("{first}, then a miss");
            compare(fault, &found);
            unharmed(&site);
        });
    }
}

/// Installs slurmd's health check, and returns the command that runs it.
pub(super) fn health_check() -> String {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fuse-health-check");
    push(&example, "/usr/local/bin/fuse-health-check", "755");
    format!(
        "mountpoint -q {CONNECTIONS} || mount -t fusectl none {CONNECTIONS}; \
         IMAGE_ROOTS='{SHARED} {ROOT}' SECONDS_TO_ANSWER=1 fuse-health-check"
    )
}

/// On older kernels, slurmd's health check can abort the file system.
#[test]
#[ignore = "needs a testbed: make test"]
fn by_the_health_check() {
    let site = Site::with_line(&of_root_with(ROOT, "lookup_timeout=1"));
    let mounted = Mounted::faulty(&site);
    let check = health_check();
    assert_eq!(on_n1(&site, &check), "");
    mounted.fault("all hang");
    launch(&site).tried_the_registry();
    assert_eq!(helpers(&site), 1);
    let gave_up = format!("{ROOT} has not answered for 1 s and was given up: mount it again");
    assert_eq!(on_n1(&site, &check), format!("{gave_up}\n"));
    on_n1(&site, "while pgrep -x sifcache-probe; do sleep 0.02; done");
    site.logged("n1", &gave_up);
    // The file system now answers with an error, until its server and its mount are gone.
    assert_eq!(on_n1(&site, &check), "");
    let before = seen(&site);
    launch(&site).tried_the_registry();
    let log = settled(&site, &before);
    assert!(log.contains("event=miss") && !log.contains("no-answer"), "{log}");
    unharmed(&site);
}
