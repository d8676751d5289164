//! Many launches, at the same time and one after the other.

use super::{LAUNCH, shape};
use crate::kit::{IMAGE, Site};

#[test]
#[ignore = "needs a testbed: make test"]
fn xargs_and_gnu_parallel() {
    shape("`xargs`", 4, |site| site.sbatch(&[], &format!("seq 4 | xargs -P2 -I{{}} {LAUNCH}")));
    shape("GNU `parallel`", 4, |site| {
        site.sbatch(&[], &format!("parallel -j2 -n0 {LAUNCH} ::: 1 2 3 4"))
    });
}

#[test]
#[ignore = "needs a testbed: make test"]
fn open_mpi() {
    shape("Open MPI's `mpirun`, two nodes", 4, |site| {
        let options = ["-N2", "--ntasks-per-node=2"];
        // mpirun and its daemon were once seen to wait for each other forever before they had
        // started anything, both in epoll_wait with a connection between them. This is rare: with
        // Open MPI 6.0.0rc2 and PRRTE 5.0.0rc1, it happened in none of 800 runs of mpirun on two
        // nodes without the plugin, and in none of 760 with it, on two busy processors (the load
        // was 12 and 9 when it was read twice). So the cause is unknown.
        let again = "again() { timeout 60 mpirun \"$@\"; local s=$?; [ $s = 124 ] || return $s; mpirun \"$@\"; }";
        let script = format!("{again}\nagain hostname\nagain {LAUNCH}");
        let output = site.sbatch(&options, &script);
        for node in ["n1", "n2"] {
            assert_eq!(
                output.stdout.lines().filter(|line| *line == node).count(),
                2,
                "{output:#?}"
            );
        }
        output
    });
}

/// The jobs for the two values of `nested=` run at the same time, because each takes long. A job
/// keeps the settings that its script was started with.
#[test]
#[ignore = "needs a testbed: make test"]
fn five_hundred_in_a_loop() {
    // Each launch after the first is the same, so `make test` runs fewer.
    let times: usize = if crate::kit::thorough() { 500 } else { 50 };
    let site = Site::new("nested=path");
    site.store(IMAGE, "o/i:1");
    let script = format!("#!/bin/bash\nfor i in $(seq {times}); do {LAUNCH} || exit; done\n");
    std::fs::write(site.at("ctl", "/home/alice/loop.sh"), script).unwrap();
    let submit = |nested: &str, node: &str| {
        let line = format!("optional spank_sifcache.so image_root=/shared/sif nested={nested}\n");
        site.plugstack(&line);
        let output = format!("--output=/home/alice/loop.{nested}");
        let job = site.alice(&["sbatch", "--parsable", "-w", node, &output, "loop.sh"]);
        let job = job.stdout.trim_end().to_owned();
        site.logged(node, &format!("[{job}.batch] task 0"));
        job
    };
    let jobs = [submit("path", "n1"), submit("preload", "n2")];
    let after = format!("--dependency=afterany:{}:{}", jobs[0], jobs[1]);
    site.alice(&["sbatch", "--wait", &after, "--output=/dev/null", "--wrap=true"]);
    let covered = ["path", "preload"].map(|nested| {
        let file = site.at("ctl", &format!("/home/alice/loop.{nested}"));
        let output = std::fs::read_to_string(file).unwrap();
        output.lines().filter(|line| *line == IMAGE).count() == times
    });
    for node in ["n1", "n2"] {
        assert_eq!(site.log(node).matches("event=hit").count(), times, "{node}");
    }
    super::table::compare("500 launches in a loop", [false, covered[0], covered[1]]);
}
