//! A node on which the file system with the shared image root is not mounted.

use super::by_task;
use crate::kit::{IMAGE, LOCAL, OTHER, Site};

/// A node without /shared, until this is dropped.
struct Unmounted<'a>(&'a Site, &'static str);

impl<'a> Unmounted<'a> {
    fn on(site: &'a Site, node: &'static str) -> Self {
        let this = Self(site, node);
        this.shell("mkdir -p /run/away && mount --move /shared /run/away");
        this
    }

    fn shell(&self, script: &str) {
        let output = self.0.exec(&["--on", self.1], &["bash", "-c", script], "");
        assert_eq!(output.status, 0, "{output:#?}");
    }
}

impl Drop for Unmounted<'_> {
    fn drop(&mut self) {
        self.shell("mount --move /run/away /shared");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_node_without_the_mount_reports_a_miss() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let unmounted = Unmounted::on(&site, "n3");
    let output = site.launch(&["-N3", "-l", "-K0", "-vv"], "docker://o/i:1");
    assert_eq!(by_task(&output.stdout), [IMAGE, IMAGE], "{output:#?}");
    output.tried_the_registry();
    let message = "sifcache: n3: the image root /shared/sif does not exist";
    assert!(output.stderr.contains(message), "{output:#?}");
    for node in ["n1", "n2"] {
        site.logged(node, "image=/shared/sif/o/i:1");
        assert!(!site.log(node).contains("no-root"), "{}", site.log(node));
    }
    // The reason is in slurmd's log, and also in syslog for `sifcache misses`.
    site.logged("n3", "sifcache: the image root /shared/sif does not exist");
    site.logged("n3", "reference=docker.io/o/i:1 refused=/shared/sif why=no-root");
    // The node still finds images in its own root, without a message.
    site.store_at("n3", LOCAL, OTHER, "o/own:1");
    site.launch(&["-w", "n3"], "docker://o/own:1").ran(OTHER);
    drop(unmounted);
    site.launch(&["-w", "n3"], "docker://o/i:1").ran(IMAGE);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn fail_ends_only_the_task_on_that_node() {
    let site = Site::new("on_miss=fail");
    site.store(IMAGE, "o/i:1");
    let _unmounted = Unmounted::on(&site, "n3");
    let output = site.launch(&["-N3", "-K0"], "docker://o/i:1");
    assert_eq!(output.stdout.lines().collect::<Vec<_>>(), [IMAGE, IMAGE], "{output:#?}");
    assert_eq!(output.status, 66, "{output:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_command_reports_the_missing_root_on_that_node() {
    let site = Site::new("nested=path");
    site.store(IMAGE, "o/i:1");
    let _unmounted = Unmounted::on(&site, "n3");
    let on_n3 = |words: &[&str]| site.exec(&["--on", "n3", "--user", "alice"], words, "");
    let explain = on_n3(&["sifcache", "explain", "--", "apptainer", "run", "docker://o/i:1"]);
    assert!(explain.stdout.contains("/shared/sif  "), "{explain:#?}");
    assert!(explain.stdout.contains("no such image root"), "{explain:#?}");
    let doctor = on_n3(&["sifcache", "doctor"]);
    assert!(doctor.stdout.contains("warn    /shared/sif: does not exist"), "{doctor:#?}");
    assert!(doctor.stdout.contains("mount it here"), "{doctor:#?}");
    // A launch in a script on that node.
    let launch = "apptainer exec docker://o/i:1 cat /etc/image-name";
    let output = site.sbatch(&["-w", "n3"], &format!("cd /tmp\n{launch}"));
    assert_ne!(output.status, 0, "{output:#?}");
    site.logged("n3", "via=shim reference=docker.io/o/i:1 refused=/shared/sif why=no-root");
}
