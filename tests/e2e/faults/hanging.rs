//! An image root that does not answer.
//!
//! A process is unkillable if it waits for an answer to a request that the FUSE server has already
//! read. Here, only the helper process waits in this way, and not the task. The launch continues
//! without the root, the step ends, and the node accepts the next step, all while the server still
//! hangs. With `lookup_timeout=off` the task itself waits.

use super::mounted::{Mounted, ROOT};
use super::table::{Found, compare, ended};
use super::{
    NAME, WITHOUT, launch, meets, of_root, of_root_with, on_n1, ours, outcome, seen, settled,
    unharmed, with_registry,
};
use crate::kit::{IMAGE, Output, SHARED, Site, WHICH};
use std::time::{Duration, Instant};

/// The plugin's line for [`ROOT`], with these settings after the root.
fn line(settings: &str) -> String {
    of_root_with(ROOT, settings)
}

/// Succeeds if the caller may read the memory that a helper process shares with slurmstepd.
const READ_MEMORY: &str = "cat /proc/$(pgrep -x sifcache-probe)/environ >/dev/null 2>&1";

/// The number of helper processes on n1.
pub(super) fn helpers(site: &Site) -> usize {
    on_n1(site, "pgrep -c -x sifcache-probe || true").trim().parse().unwrap()
}

/// A launch in progress.
struct Waiting<'a> {
    job: std::thread::ScopedJoinHandle<'a, Output>,
}

impl Waiting<'_> {
    /// Asserts that the launch has not ended yet.
    #[track_caller]
    fn still(&self) {
        assert!(!self.job.is_finished(), "the launch has ended");
    }

    fn end(self) -> Output {
        self.job.join().unwrap()
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn hangs() {
    let site = Site::new("");
    for (call, fault, line, left) in [
        // With the default timeout.
        ("lookup", "the lookup of a name hangs", of_root(ROOT), 1),
        ("getattr", "stat hangs", line("lookup_timeout=1"), 1),
        ("open", "open hangs", line("lookup_timeout=1"), 1),
        // A process that waits for a page of a file can be killed.
        ("read", "read hangs", line("lookup_timeout=1"), 0),
    ] {
        let mounted = Mounted::faulty(&site);
        mounted.fault(&format!("{call} hang"));
        with_registry(|| meets(&site, fault, &line, launch));
        assert_eq!(helpers(&site), left, "{fault}");
        if left > 0 {
            on_n1(&site, READ_MEMORY);
            on_n1(&site, &format!("! setpriv --reuid=1001 --clear-groups sh -c '{READ_MEMORY}'"));
        }
        mounted.dies();
        on_n1(&site, "while pgrep -x sifcache-probe; do sleep 0.02; done");
    }
}

/// Slurm and everything else on the node continue while a launch waits.
#[test]
#[ignore = "needs a testbed: make test"]
fn other_jobs_continue() {
    let site = Site::with_line(&line("lookup_timeout=20"));
    let mounted = Mounted::faulty(&site);
    mounted.fault("all hang");
    with_registry(|| {
        std::thread::scope(|scope| {
            let waiting = Waiting { job: scope.spawn(|| launch(&site)) };
            std::thread::sleep(Duration::from_secs(2));
            let start = Instant::now();
            assert_eq!(site.srun(&["-w", "n1", "true"]).status, 0);
            site.launch(&["--sif-cache=off"], &format!("docker://{NAME}")).ran(IMAGE);
            assert_eq!(site.exec(&[], &["scontrol", "ping"], "").status, 0);
            // The test checks that nothing waits for the launch, not how long it takes.
            assert!(start.elapsed() < Duration::from_secs(60));
            waiting.still();
            let running = ["squeue", "-h", "-u", "alice", "-t", "running", "-o", "%i"];
            let job = site.exec(&[], &running, "").stdout;
            assert_eq!(job.lines().count(), 1, "{job}");
            let cancelled = site.alice(&["scancel", job.trim()]);
            assert_eq!(cancelled.status, 0, "{cancelled:#?}");
            let output = waiting.end();
            assert!(output.stderr.contains("CANCELLED"), "{output:#?}");
            assert_eq!(output.stdout, "");
        });
    });
    // Without control groups, Slurm does not kill a task that is still named slurmstepd, so it runs
    // until the lookup times out.
    on_n1(&site, "while pgrep -x slurmstepd; do sleep 0.1; done");
    unharmed(&site);
}

/// The lookup continues with the roots after the one that hangs.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_next_root_answers() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    let mounted = Mounted::faulty(&site);
    mounted.fault("all hang");
    let roots = format!("{ROOT}:{SHARED}");
    let line = of_root_with(&roots, "lookup_timeout=1");
    with_registry(|| {
        meets(&site, "every call hangs, the next root has the image", &line, launch);
    });
}

/// With on_miss=fail, the message names the root that does not answer.
#[test]
#[ignore = "needs a testbed: make test"]
fn with_on_miss_fail() {
    let site = Site::with_line(&line("lookup_timeout=1 on_miss=fail"));
    let mounted = Mounted::faulty(&site);
    mounted.fault("all hang");
    let before = seen(&site);
    let output = launch(&site);
    assert_eq!((output.status, output.stdout.as_str()), (66, ""), "{output:#?}");
    let searched = format!("sifcache: searched: {ROOT} (no answer)\n");
    assert!(output.stderr.contains(&searched), "{output:#?}");
    unharmed(&site);
    let found = Found {
        without: "not affected".to_owned(),
        with: format!("{}{}", ended(&output), outcome(&settled(&site, &before))),
        user: "the missing image, and that the root does not answer".to_owned(),
        admin: ours(&settled(&site, &before)),
    };
    compare("every call hangs, `on_miss=fail`", &found);
}

/// A launch in a script, looked up by the shim, with both values of `nested=`.
#[test]
#[ignore = "needs a testbed: make test"]
fn in_a_script() {
    let site = Site::new("");
    let mounted = Mounted::faulty(&site);
    mounted.fault("all hang");
    let script = format!("apptainer exec docker://{NAME} {}", WHICH.join(" "));
    with_registry(|| {
        for (nested, fault) in [
            ("path", "every call hangs, launch in a script, `nested=path`"),
            ("preload", "every call hangs, launch in a script, `nested=preload`"),
        ] {
            let line = line(&format!("lookup_timeout=1 nested={nested}"));
            meets(&site, fault, &line, |site| site.srun(&["-w", "n1", "bash", "-c", &script]));
        }
    });
}

/// If the system directories lack a runtime, the plugin searches the other directories of `PATH`,
/// even for tasks that start no container.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_directory_in_path() {
    struct Back<'a>(&'a Site);
    impl Drop for Back<'_> {
        fn drop(&mut self) {
            on_n1(self.0, "mv /usr/bin/singularity.away /usr/bin/singularity");
        }
    }
    let site = Site::new("");
    on_n1(&site, "mv /usr/bin/singularity /usr/bin/singularity.away");
    let _back = Back(&site);
    let mounted = Mounted::faulty(&site);
    mounted.fault("all hang");
    // A time limit, in case the task waits forever.
    let path = format!("--export=HOME,PATH=/usr/bin:/bin:{ROOT}/bin");
    let bash =
        |site: &Site, script| site.srun(&["-w", "n1", "--time=1", &path, "bash", "-c", script]);
    let line = of_root_with(SHARED, "nested=path");
    let fault = "every call hangs in a directory of `PATH`, a runtime is not installed";
    meets(&site, fault, &line, |site| bash(site, "echo ran"));
    // The runtime that exists is still covered. The test does not start it, because Apptainer
    // itself searches every directory of PATH for programs.
    let shim = bash(&site, "command -v apptainer");
    let expected = "/usr/libexec/sifcache/bin-apptainer/apptainer\n";
    assert_eq!((shim.status, shim.stdout.as_str()), (0, expected), "{shim:#?}");
    assert_eq!(helpers(&site), 2);
    mounted.dies();
    on_n1(&site, "while pgrep -x sifcache-probe; do sleep 0.02; done");
}

/// The task itself waits. A job that reaches its time limit ends, but its step ends only when the
/// server is gone. Until then Slurm starts nothing new on the node, as with every unkillable
/// process.
#[test]
#[ignore = "needs a testbed: make test"]
fn without_a_timeout() {
    let site = Site::new("");
    let mounted = Mounted::faulty(&site);
    with_registry(|| {
        site.plugstack(WITHOUT);
        let without = launch(&site);
        without.ran(IMAGE);
        site.plugstack(&line("lookup_timeout=off"));
        let before = seen(&site);
        mounted.fault("all hang");
        // One minute is the shortest time limit in Slurm.
        let output = site.launch(&["--time=1"], &format!("docker://{NAME}"));
        // The status is the one that srun reports for a lost step, which can be 0.
        assert!(output.stderr.contains("DUE TO TIME LIMIT"), "{output:#?}");
        assert_eq!(output.stdout, "");
        let completing = ["squeue", "-h", "-u", "alice", "-t", "completing", "-o", "%N"];
        assert_eq!(site.exec(&[], &completing, "").stdout, "n1\n");
        assert_eq!(site.srun(&["-w", "n2", "true"]).status, 0);
        assert_ne!(site.srun(&["-w", "n1", "--immediate=5", "true"]).status, 0);
        let found = Found {
            without: ended(&without),
            with: "waits until its time limit; the node gets no new job until the file \
                   server is gone"
                .to_owned(),
            user: ours(&output.stderr),
            admin: ours(&settled(&site, &before)),
        };
        compare("every call hangs, `lookup_timeout=off`", &found);
        mounted.dies();
        unharmed(&site);
        assert_eq!(site.srun(&["-w", "n1", "true"]).status, 0);
    });
}

/// A pause like that during the failover of a file server.
#[test]
#[ignore = "needs a testbed: make test"]
fn answers_later() {
    let site = Site::with_line(&of_root(ROOT));
    let mounted = Mounted::faulty(&site);
    let before = seen(&site);
    mounted.fault("all pause");
    let output = std::thread::scope(|scope| {
        let waiting = Waiting { job: scope.spawn(|| launch(&site)) };
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(site.srun(&["-w", "n1", "true"]).status, 0);
        waiting.still();
        // In between, the processes of the task are stopped and continued.
        let task = "-u alice 'slurmstepd|sifcache-probe'";
        on_n1(&site, &format!("pkill -STOP {task} && sleep 0.2 && pkill -CONT {task}"));
        waiting.still();
        mounted.heal();
        waiting.end()
    });
    output.ran(IMAGE);
    let log = settled(&site, &before);
    let found = Found {
        without: "not affected".to_owned(),
        with: format!("waits, then {}{}", ended(&output), outcome(&log)),
        user: ours(&output.stderr),
        admin: ours(&log),
    };
    compare(
        "every call hangs for some seconds, the task is stopped and continued meanwhile",
        &found,
    );
    unharmed(&site);
    assert_eq!(helpers(&site), 0);
}

/// The kernel withdraws a request that the server has not read, so a helper process that waits for
/// it can be killed.
#[test]
#[ignore = "needs a testbed: make test"]
fn stopped() {
    let site = Site::new("");
    let mounted = Mounted::faulty(&site);
    mounted.stops();
    let fault = "the file server is stopped and reads no requests";
    with_registry(|| meets(&site, fault, &line("lookup_timeout=1"), launch));
    assert_eq!(helpers(&site), 0);
}
