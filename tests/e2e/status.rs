//! The plugin changes neither the exit status nor the signals nor the standard streams of a task.

use crate::kit::{IMAGE, Site};

#[test]
#[ignore = "needs a testbed: make test"]
fn exit_status_and_signals() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let run =
        |script: &str| site.srun(&["apptainer", "exec", "docker://o/i:1", "sh", "-c", script]);
    for status in [0, 1, 42, 255] {
        assert_eq!(run(&format!("exit {status}")).status, status);
    }
    for (signal, number) in [("TERM", 15), ("KILL", 9)] {
        let ours = run(&format!("kill -{signal} $$"));
        let path = "/shared/sif/o/i:1";
        let typed =
            site.srun(&["apptainer", "exec", path, "sh", "-c", &format!("kill -{signal} $$")]);
        assert_eq!(ours.status, typed.status);
        assert_eq!(ours.status, 128 + number, "{ours:#?}");
    }
}

/// Apptainer decides how a signal is handled. The result must be the same as for a launch by path.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_signal_from_outside_reaches_the_task() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let script = "rm -f up; \
        srun apptainer exec $0 sh -c 'touch /home/alice/up; while :; do sleep 0.1; done' & \
        while ! [ -e up ]; do sleep 0.05; done; \
        scancel --signal=$1 --user=alice; wait $!";
    for (signal, status) in [("USR1", 128 + 10), ("USR2", 128 + 12)] {
        let run = |image: &str| site.alice(&["bash", "-c", script, image, signal]).status;
        let (ours, typed) = (run("docker://o/i:1"), run("/shared/sif/o/i:1"));
        assert_eq!((ours, typed), (status, status), "{signal}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn standard_streams() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let words =
        ["srun", "apptainer", "exec", "docker://o/i:1", "sh", "-c", "cat; echo complaint >&2"];
    let output = site.exec(&["--user", "alice"], &words, "what goes in\n");
    assert_eq!(
        (output.status, output.stdout.as_str(), output.stderr.as_str()),
        (0, "what goes in\n", "complaint\n")
    );
}
