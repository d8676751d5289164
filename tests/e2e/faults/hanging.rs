//! An image root that does not answer.
//!
//! The launch waits for it in the task's own process, as everything does that touches such
//! a file system. What FUSE's server has read, and does not answer, the kernel waits for
//! even when the process is killed; so these tests end the server after the job.

use super::mounted::{Mounted, ROOT, Timeout};
use super::table::{Found, compare, ended};
use super::{
    NAME, WITHOUT, both, launch, of_root, on_n1, ours, seen, settled, unharmed, with_registry,
};
use crate::kit::{IMAGE, Output, Site};
use std::time::{Duration, Instant};

/// A launch under way.
struct Waiting<'a> {
    job: std::thread::ScopedJoinHandle<'a, Output>,
}

impl Waiting<'_> {
    /// It has not ended after all this.
    #[track_caller]
    fn still(&self) {
        assert!(!self.job.is_finished(), "the launch has ended");
    }

    fn end(self) -> Output {
        self.job.join().unwrap()
    }
}

/// What must go on meanwhile: the node's other work, and the ways out.
#[track_caller]
fn others_go_on(site: &Site) {
    let start = Instant::now();
    assert_eq!(site.srun(&["-w", "n1", "true"]).status, 0);
    site.launch(&["--sif-cache=off"], &format!("docker://{NAME}")).ran(IMAGE);
    assert_eq!(site.exec(&[], &["scontrol", "ping"], "").status, 0);
    // Not how long it takes, but that it waits for nothing: the launch waits for ever.
    assert!(start.elapsed() < Duration::from_secs(60));
}

/// The jobs of alice that run.
fn jobs(site: &Site) -> String {
    site.exec(&[], &["squeue", "-h", "-u", "alice", "-t", "running", "-o", "%i"], "").stdout
}

#[test]
#[ignore = "needs a testbed: make test"]
fn hangs() {
    let site = Site::new("");
    for (call, fault) in [
        ("lookup", "no answer to the look-up of a name, ever"),
        ("getattr", "no answer to stat, ever"),
        ("open", "no answer to open, ever"),
        ("read", "no answer to read, ever"),
    ] {
        let mounted = Mounted::faulty(&site);
        with_registry(|| {
            site.plugstack(WITHOUT);
            let without = launch(&site);
            without.ran(IMAGE);
            site.plugstack(&of_root(ROOT));
            let before = seen(&site);
            mounted.fault(&format!("{call} hang"));
            let output = std::thread::scope(|scope| {
                let waiting = Waiting { job: scope.spawn(|| launch(&site)) };
                std::thread::sleep(Duration::from_secs(2));
                others_go_on(&site);
                waiting.still();
                let job = jobs(&site);
                assert_eq!(job.lines().count(), 1, "{job}");
                let cancelled = site.alice(&["scancel", job.trim()]);
                assert_eq!(cancelled.status, 0, "{cancelled:#?}");
                waiting.end()
            });
            assert!(output.stderr.contains("CANCELLED"), "{output:#?}");
            assert_eq!(output.stdout, "");
            let found = Found {
                without: ended(&without),
                with: "waits until it answers or its server is gone; the node's other jobs run, \
                       and so does this one with `--sif-cache=off`"
                    .to_owned(),
                user: ours(&output.stderr),
                admin: ours(&settled(&site, &before)),
            };
            compare(fault, &found);
            mounted.dies();
            unharmed(&site);
        });
    }
}

/// A job that reaches its time limit there ends, and its step when the server is gone. Until
/// then Slurm starts nothing new on the node, as with each process that cannot be killed.
#[test]
#[ignore = "needs a testbed: make test"]
fn hangs_beyond_the_time_limit() {
    let site = Site::new("");
    let mounted = Mounted::faulty(&site);
    with_registry(|| {
        site.plugstack(WITHOUT);
        let without = launch(&site);
        without.ran(IMAGE);
        site.plugstack(&of_root(ROOT));
        let before = seen(&site);
        mounted.fault("all hang");
        // One minute is the shortest limit that Slurm has.
        let output = site.launch(&["--time=1"], &format!("docker://{NAME}"));
        // The status is what srun gives a step that it lost, 0 included.
        assert!(output.stderr.contains("DUE TO TIME LIMIT"), "{output:#?}");
        assert_eq!(output.stdout, "");
        let completing = ["squeue", "-h", "-u", "alice", "-t", "completing", "-o", "%N"];
        assert_eq!(site.exec(&[], &completing, "").stdout, "n1\n");
        assert_eq!(site.srun(&["-w", "n2", "true"]).status, 0);
        assert_ne!(site.srun(&["-w", "n1", "--immediate=5", "true"]).status, 0);
        let found = Found {
            without: ended(&without),
            with: "ends at its limit; until its server is gone the node gets no new job".to_owned(),
            user: ours(&output.stderr),
            admin: ours(&settled(&site, &before)),
        };
        compare("no answer, ever, and the job has a time limit", &found);
        mounted.dies();
        unharmed(&site);
        assert_eq!(site.srun(&["-w", "n1", "true"]).status, 0);
    });
}

/// A site can have the kernel end the wait; it looks about every 15 seconds. Nobody kills the
/// server here.
#[test]
#[ignore = "needs a testbed: make test"]
fn hangs_and_the_kernel_gives_up() {
    let Some(_timeout) = Timeout::of_a_second() else {
        eprintln!("skipped: before Linux 6.14 the kernel waits for ever");
        return;
    };
    let site = Site::new("");
    for (call, fault) in [
        ("lookup", "no answer to the look-up of a name, and the kernel gives up"),
        ("read", "no answer to read, and the kernel gives up"),
    ] {
        let mounted = Mounted::faulty(&site);
        site.plugstack(&of_root(ROOT));
        let doctor = on_n1(&site, "sifcache doctor || true");
        assert!(doctor.contains("fuse, given up by the kernel after 1 s"), "{doctor}");
        mounted.fault(&format!("{call} hang"));
        with_registry(|| {
            let mut found = both(&site, [WITHOUT, &of_root(ROOT)], launch);
            // By the look-up of the next, the server that was given up may have been unmounted.
            let first = found.admin.lines().next().unwrap_or_default();
            found.admin = format!("{first}, and it goes on as a miss");
            compare(fault, &found);
            unharmed(&site);
        });
    }
}

/// As when a file server fails over.
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
        // A pause of the task's own in the middle of it.
        let task = "-u alice -x slurmstepd";
        on_n1(&site, &format!("pkill -STOP {task} && sleep 0.2 && pkill -CONT {task}"));
        waiting.still();
        mounted.heal();
        waiting.end()
    });
    output.ran(IMAGE);
    let log = settled(&site, &before);
    let found = Found {
        without: "does not touch it".to_owned(),
        with: format!("waits, then {}{}", ended(&output), super::outcome(&log)),
        user: ours(&output.stderr),
        admin: ours(&log),
    };
    compare("no answer for some seconds, in which the task is stopped and goes on", &found);
    unharmed(&site);
}

/// A request that nobody has read the kernel takes back, so a task that waits for it can be
/// killed. Here the test does it: without control groups Slurm spares what is still called
/// slurmstepd.
#[test]
#[ignore = "needs a testbed: make test"]
fn stopped() {
    let site = Site::with_line(&of_root(ROOT));
    let mounted = Mounted::faulty(&site);
    let before = seen(&site);
    mounted.stops();
    let output = std::thread::scope(|scope| {
        let waiting = Waiting { job: scope.spawn(|| launch(&site)) };
        let waits = "for n in $(seq 500); do \
            for p in $(pgrep -u alice -x slurmstepd); do \
                grep -q request_wait_answer /proc/$p/wchan && echo $p && exit; done; \
            sleep 0.02; done; exit 1";
        let task = on_n1(&site, waits);
        waiting.still();
        on_n1(&site, &format!("kill -KILL {task}"));
        waiting.end()
    });
    assert_eq!(output.status, 128 + 9, "{output:#?}");
    // Nothing is left of it while the server is as it was.
    unharmed(&site);
    let found = Found {
        without: "does not touch it".to_owned(),
        with: "waits until it goes on, and can be cancelled".to_owned(),
        user: ours(&output.stderr),
        admin: ours(&settled(&site, &before)),
    };
    compare("its server is stopped, so that it reads no request", &found);
}
