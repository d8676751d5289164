//! Nodes that cannot receive a copy, while others can.

use super::{no_job, on, sbcast, site, stage};
use crate::kit::{LOCAL, OTHER, Site, crash_and_boot, tree};
use serde_json::Value;
use std::fs;

/// Runs a script on a host, and `undo` when this is dropped.
struct Undo<'a>(&'a Site, &'a str, &'a str);

impl<'a> Undo<'a> {
    #[track_caller]
    fn after(site: &'a Site, host: &'a str, script: &str, undo: &'a str) -> Self {
        let output = site.exec(&["--on", host], &["bash", "-c", script], "");
        assert_eq!(output.status, 0, "{output:#?}");
        Self(site, host, undo)
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.0.exec(&["--on", self.1], &["bash", "-c", self.2], "");
    }
}

/// Mounts a small file system over a node's image root.
fn small_disk<'a>(site: &'a Site, host: &'a str, kibibytes: u32) -> Undo<'a> {
    let mount = format!("mount -t tmpfs -o size={kibibytes}k,mode=755 tmpfs {LOCAL}");
    Undo::after(site, host, &mount, "umount --lazy /local/sif")
}

/// Stops slurmd on a node, then runs `then`.
fn slurmd_stopped<'a>(site: &'a Site, host: &'a str, then: &str) -> Undo<'a> {
    // slurmd's earlier messages may still be on their way to slurmctld.
    let stop = format!("kill -STOP $(cat /run/slurmd.pid); sleep 1; {then}");
    let undo = "kill -CONT $(cat /run/slurmd.pid); node=$(hostname)
        for i in $(seq 100); do
            [ \"$(sinfo -h -n $node -o %T)\" = idle ] && exit
            scontrol update nodename=$node state=resume; sleep 0.2
        done";
    Undo::after(site, host, &stop, undo)
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_node_that_is_down_is_reported_and_skipped() {
    let site = site();
    // The node must be crashed, because a running slurmd would mark it as up again.
    crash_and_boot("n2", || {
        // slurmctld may still process an earlier message of the node and mark it as up again.
        let down = "until sinfo -h -n n2 -o %T | grep -q down; do
            scontrol update nodename=n2 state=down reason=test; sleep 1.5; done";
        assert_eq!(site.exec(&[], &["bash", "-c", down], "").status, 0);
        let output = stage(&site, &["--partition", "all", "o/i:1"]);
        assert_eq!(output.status, 1, "{output:#?}");
        let message = output.stderr.lines().find(|line| line.starts_with("sifcache: n2: it "));
        assert!(message.is_some_and(|line| line.contains("(state down")), "{output:#?}");
        assert_eq!(on(&site, "n1").len(), 2);
        assert_eq!(on(&site, "n3").len(), 2);
        // If this is the only requested node, there is no node to wait for.
        let output = stage(&site, &["--nodes", "n2", "o/i:1"]);
        assert_eq!(output.status, 69, "{output:#?}");
        let output = stage(&site, &["--list", "--partition", "all"]);
        assert_eq!(output.status, 1, "{output:#?}");
        assert!(output.stdout.ends_with("1 image under /local/sif of n[1,3]\n"), "{output:#?}");
        assert!(output.stderr.contains("sifcache: n2: it "), "{output:#?}");
    });
    site.idle("n2");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_disk_without_space() {
    let site = site();
    let _disk = small_disk(&site, "n2", 500);
    let output = stage(&site, &["--partition", "all", "o/i:1"]);
    assert_eq!(output.status, 1, "{output:#?}");
    let message = "n2: o/i:1: not enough space: about 1.08 MiB are needed in /local/sif, and 500";
    assert!(output.stderr.contains(message), "{output:#?}");
    assert_eq!((on(&site, "n1").len(), on(&site, "n3").len()), (2, 2));
    assert!(on(&site, "n2").is_empty());
    let output = stage(&site, &["--nodes", "n2", "o/i:1"]);
    assert_eq!(output.status, 73, "{output:#?}");
}

/// The disk becomes full after the command has queried the free space. sbcast fails for all nodes,
/// so it runs again for the remaining nodes.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_disk_that_fills_up_meanwhile() {
    let site = site();
    let _disk = small_disk(&site, "n2", 3_000);
    // The replacement of sbcast fills the disk of n2 before it sends anything.
    sbcast(
        &site,
        "job=${1#--jobid=}\n\
         [ -e /root/stand-ins/filled ] || srun --jobid=${job%.*} --overlap -w n2 -N1 -n1 \
             sh -c 'head -c 2500000 /dev/zero >/local/sif/.ballast'\n\
         touch /root/stand-ins/filled\nreal_sbcast \"$@\"",
    );
    let output = stage(&site, &["--partition", "all", "o/i:1"]);
    assert_eq!(output.status, 1, "{output:#?}");
    assert!(output.stderr.contains("n2: o/i:1: sbcast: "), "{output:#?}");
    assert_eq!((on(&site, "n1").len(), on(&site, "n3").len()), (2, 2));
    fs::remove_file(site.at("n2", LOCAL).join(".ballast")).unwrap();
    assert!(on(&site, "n2").is_empty());
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_node_without_the_command_or_the_root() {
    let site = site();
    let _command = Undo::after(
        &site,
        "n1",
        "mv /usr/local/bin/sifcache /usr/local/bin/elsewhere",
        "mv /usr/local/bin/elsewhere /usr/local/bin/sifcache",
    );
    let _root = Undo::after(&site, "n2", "rmdir /local/sif", "mkdir -m 755 /local/sif");
    let output = stage(&site, &["--partition", "all", "o/i:1"]);
    assert_eq!(output.status, 1, "{output:#?}");
    for message in [
        "n1: /usr/local/bin/sifcache does not exist: install sifcache on the node",
        "n2: image root /local/sif: ",
    ] {
        assert!(output.stderr.contains(message), "{message}: {output:#?}");
    }
    assert_eq!(on(&site, "n3").len(), 2);
}

/// Slurm has not yet detected that the node is gone.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_node_that_does_not_answer() {
    let site = site();
    let _slurmd = slurmd_stopped(&site, "n3", "true");
    let output = stage(&site, &["--partition", "all", "o/i:1"]);
    assert_eq!(output.status, 1, "{output:#?}");
    assert!(output.stderr.contains("n3: it did not answer: "), "{output:#?}");
    assert_eq!((on(&site, "n1").len(), on(&site, "n2").len()), (2, 2));
}

/// A mistake in the settings: the local root is one directory that all nodes share.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_local_root_that_nodes_share() {
    let site = site();
    let shared = site.at("ctl", "/shared/local");
    let _ = fs::remove_dir_all(&shared);
    fs::create_dir(&shared).unwrap();
    site.plugstack("optional spank_sifcache.so image_root=/shared/local:/shared/sif\n");
    let output = stage(&site, &["--nodes", "n[1-2]", "o/i:1"]);
    assert_eq!(output.status, 1, "{output:#?}");
    let message = "another node is writing to /shared/local: check that it is local to each node";
    assert!(output.stderr.contains(message), "{output:#?}");
    // The other node has written the image, so all nodes have it.
    assert_eq!(tree::check(&shared).len(), 2);
    tree::is_clean(&shared);
}

/// In one run, different nodes lack different images.
#[test]
#[ignore = "needs a testbed: make test"]
fn each_node_gets_what_it_lacks() {
    let site = site();
    site.store(OTHER, "o/other:1");
    assert_eq!(stage(&site, &["--nodes", "n1", "o/i:1"]).status, 0);
    assert_eq!(stage(&site, &["--nodes", "n3", "o/other:1"]).status, 0);
    // The image was copied by hand: there is no record, but the content is right.
    site.store_at("n2", LOCAL, OTHER, "o/other:1");
    let output = site.exec(
        &[],
        &["sifcache", "stage", "--json", "--partition", "all", "--from", "-"],
        "o/i:1\no/other:1\n",
    );
    assert_eq!(output.status, 0, "{output:#?}");
    let mut message: Vec<(String, String, String)> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|one| ["node", "reference", "status"].map(|key| one[key].as_str().unwrap().to_owned()))
        .map(|[node, reference, status]| (node, reference, status))
        .collect();
    message.sort();
    let message: Vec<(&str, &str, &str)> =
        message.iter().map(|(n, r, s)| (n.as_str(), r.as_str(), s.as_str())).collect();
    assert_eq!(
        message,
        [
            ("n1", "o/i:1", "present"),
            ("n1", "o/other:1", "staged"),
            ("n2", "o/i:1", "staged"),
            ("n2", "o/other:1", "present"),
            ("n3", "o/i:1", "staged"),
            ("n3", "o/other:1", "present"),
        ]
    );
    for node in ["n1", "n2", "n3"] {
        site.launch(&["-w", node], "docker://o/other:1").ran(OTHER);
        site.logged(node, &format!("image={LOCAL}/o/other:1"));
    }
}

/// The command on one node is killed during the transfer; srun continues for the others.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_node_that_is_lost_during_the_transfer() {
    let site = site();
    sbcast(
        &site,
        "real_sbcast \"$@\"; job=${1#--jobid=}\n\
         srun --jobid=${job%.*} --overlap -w n2 -N1 -n1 sh -c 'kill -9 $(pidof sifcache)'; sleep 1",
    );
    let output = stage(&site, &["--partition", "all", "o/i:1"]);
    assert_eq!(output.status, 1, "{output:#?}");
    assert!(output.stderr.contains("n2: it did not answer: n2: task 1: Killed"), "{output:#?}");
    assert_eq!((on(&site, "n1").len(), on(&site, "n3").len()), (2, 2));
    assert!(tree::check(&site.at("n2", LOCAL)).is_empty());
}

/// The job waits in the queue for a node that then goes down. The command does not wait for that
/// node.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_node_that_goes_down_while_the_job_waits() {
    let site = site();
    let _kept = Undo::after(
        &site,
        "ctl",
        "scontrol create reservation reservationname=kept nodes=n3 users=alice \
             starttime=now duration=60 flags=ignore_jobs",
        "scontrol delete reservationname=kept; scontrol update nodename=n3 state=resume",
    );
    let script = "sifcache stage --nodes n1,n3 o/i:1 & \
         until squeue -h -t pending | grep -q sifcache; do sleep 0.1; done; \
         scontrol update nodename=n3 state=drain reason=test; wait $!";
    let output = site.exec(&[], &["bash", "-c", script], "");
    assert_eq!(output.status, 1, "{output:#?}");
    assert!(output.stderr.contains("sifcache: waiting for n[1,3]: "), "{output:#?}");
    assert!(output.stderr.contains("sifcache: n3: it accepts no jobs (state dra"), "{output:#?}");
    assert_eq!((on(&site, "n1").len(), on(&site, "n3").len()), (2, 0));
    no_job(&site);
}
