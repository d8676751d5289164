//! A node that dies during a step.

use crate::kit::{IMAGE, Output, SHARED, Site, crash_and_boot};
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

/// Waits up to 60 seconds until `condition` returns true.
#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < limit, "timed out: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs a step with waiting tasks on all nodes, and crashes n3 during the step.
fn step_loses_a_node(site: &Site, image: &str) -> Output {
    let flags = ["-N3", "apptainer", "exec", image];
    let wait = ["sh", "-c", "touch /home/alice/here-$SLURM_PROCID; sleep 60"];
    let home = site.at("ctl", "/home/alice");
    let here = |task: u8| home.join(format!("here-{task}"));
    (0..3).for_each(|task| drop(fs::remove_file(here(task))));
    std::thread::scope(|scope| {
        let step = scope.spawn(|| site.srun(&[&flags[..], &wait].concat()));
        until("the tasks run", || (0..3).all(|task| here(task).exists()));
        crash_and_boot("n3", || {
            // slurmctld would detect this by itself after SlurmdTimeout.
            let down = ["scontrol", "update", "NodeName=n3", "State=DOWN", "Reason=died"];
            assert_eq!(site.exec(&[], &down, "").status, 0);
            step.join().unwrap()
        })
    })
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_step_ends_as_without_the_plugin_and_nothing_is_left() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    // Processes of earlier jobs do not count, because instances outlive their steps.
    let processes = |node: &str| -> BTreeSet<String> {
        let output = site.exec(&["--on", node], &["pgrep", "-u", "alice"], "");
        output.stdout.lines().map(str::to_owned).collect()
    };
    let before = ["n1", "n2"].map(|node| (node, processes(node)));
    let with = step_loses_a_node(&site, "docker://o/i:1");
    assert_ne!(with.status, 0, "{with:#?}");
    assert!(with.stderr.contains("CANCELLED") && with.stderr.contains("NODE FAILURE"), "{with:#?}");
    for (node, before) in before {
        site.logged(node, "event=hit");
        until("no process is left", || processes(node).is_subset(&before));
    }
    // The other nodes continue to work, and so does the node after its reboot.
    site.launch(&["-w", "n1,n2", "-N2"], "docker://o/i:1").stdout.lines().for_each(|line| {
        assert_eq!(line, IMAGE);
    });
    site.idle("n3");
    site.launch(&["-w", "n3"], "docker://o/i:1").ran(IMAGE);
    // Without the plugin, srun's messages and its exit status are the same. A few of the messages
    // depend on when srun detects the failure, so several attempts are allowed with each.
    let (mut with, mut without) = (vec![shape(&with)], Vec::new());
    while !with.iter().any(|shape| without.contains(shape)) {
        assert!(without.len() < 9, "none of {with:#?} is among {without:#?}");
        let (shapes, line, image) = if with.len() > without.len() {
            (&mut without, "# nothing\n".to_owned(), "/shared/sif/o/i:1")
        } else {
            let line = format!("optional spank_sifcache.so image_root={SHARED}\n");
            (&mut with, line, "docker://o/i:1")
        };
        site.plugstack(&line);
        shapes.push(shape(&step_loses_a_node(&site, image)));
        site.idle("n3");
    }
}

/// The exit status and the messages of a step without numbers. The order of the messages depends on
/// the order in which the nodes answer.
fn shape(output: &Output) -> (i32, BTreeSet<String>) {
    let words = |line: &str| {
        let line = line.split(|c: char| c.is_ascii_digit()).filter(|word| !word.is_empty());
        line.collect::<Vec<_>>().join("0")
    };
    (output.status, output.stderr.lines().map(words).collect())
}
