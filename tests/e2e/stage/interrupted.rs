//! Copies that fail during the transfer, and interruptions by the admin.

use super::{STAND_INS, no_job, on, sbcast, site, stage};
use crate::kit::{LOCAL, Site, tree};
use std::fs;
use std::time::{Duration, Instant};

#[track_caller]
fn nothing_anywhere(site: &Site) {
    for node in ["n1", "n2", "n3"] {
        assert!(on(site, node).is_empty(), "{node}");
        let records = tree::files(&site.at(node, LOCAL).join(".sifcache/metadata"));
        assert!(records.is_empty(), "{node}: {records:?}");
    }
}

/// The replacement of sbcast sends a changed file.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_file_changed_during_the_transfer_is_not_installed() {
    let site = site();
    let place = "from=${@: -2:1} to=${@: -1}; cp $from /root/sent;";
    for change in [
        "printf X | dd of=/root/sent bs=1 seek=500000 conv=notrunc status=none",
        "truncate -s -4096 /root/sent",
        "truncate -s +4096 /root/sent",
        ": >/root/sent; echo '<html>' >/root/sent",
    ] {
        sbcast(&site, &format!("{place} {change}; real_sbcast \"$1\" /root/sent $to"));
        let output = stage(&site, &["--partition", "all", "o/i:1"]);
        assert_eq!(output.status, 65, "{change}: {output:#?}");
        for node in ["n1", "n2", "n3"] {
            let message = format!("{node}: o/i:1: the received data differ from the sent data: ");
            assert!(output.stderr.contains(&message), "{change}: {output:#?}");
        }
        nothing_anywhere(&site);
    }
    // The unchanged file is accepted.
    sbcast(&site, "real_sbcast \"$@\"");
    assert_eq!(stage(&site, &["--partition", "all", "o/i:1"]).status, 0);
}

/// A signal during the transfer: the replacement of sbcast sends a part of the file and then
/// nothing for a long time.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_signal_ends_the_job_and_leaves_nothing() {
    let site = site();
    for (signal, status) in [("INT", 130), ("TERM", 143), ("KILL", 137)] {
        sbcast(
            &site,
            "from=${@: -2:1} to=${@: -1}; head -c 300000 $from >/root/part\n\
             real_sbcast \"$1\" /root/part $to; touch /root/stand-ins/half; exec sleep 300",
        );
        let script = format!(
            "sifcache stage --partition all o/i:1 & \
             until [ -e {STAND_INS}/half ]; do sleep 0.05; done; sleep 0.5; \
             ls /local/sif; kill -{signal} $!; wait $!"
        );
        let path = format!("PATH={STAND_INS}:/usr/local/bin:/usr/bin:/bin");
        let begun = Instant::now();
        let output = site.exec(&["--env", &path], &["bash", "-c", &script], "");
        assert_eq!(output.status, status, "{output:#?}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        no_job(&site);
        nothing_anywhere(&site);
        fs::remove_file(site.at("ctl", STAND_INS).join("half")).unwrap();
    }
}

/// A user cancels the step, which kills its processes on the nodes, and then the job.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_job_that_is_cancelled() {
    let site = site();
    sbcast(
        &site,
        "real_sbcast \"$@\"; scancel ${1#--jobid=}; scancel --name=sifcache-stage; exec sleep 300",
    );
    let begun = Instant::now();
    let output = stage(&site, &["--partition", "all", "o/i:1"]);
    assert_eq!(output.status, 69, "{output:#?}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    for node in ["n1", "n2", "n3"] {
        assert!(output.stderr.contains(&format!("{node}: ")), "{output:#?}");
        assert!(tree::check(&site.at(node, LOCAL)).is_empty(), "{node}");
    }
    no_job(&site);
    // The next run removes what the killed processes left.
    fs::remove_file(site.at("ctl", STAND_INS).join("sbcast")).unwrap();
    assert_eq!(stage(&site, &["--partition", "all", "o/i:1"]).status, 0);
    assert_eq!(["n1", "n2", "n3"].map(|node| on(&site, node).len()), [2, 2, 2]);
}

/// A signal while the job waits in the queue. The command reports that it waits.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_signal_ends_a_job_that_waits() {
    let site = site();
    let script = "sifcache stage --nodes n1 o/i:1 -- --begin=now+1hour 2>/root/said & \
         until grep -q waiting /root/said; do sleep 0.05; done; squeue -h -o %j; \
         kill -INT $!; wait $!";
    let output = site.exec(&[], &["bash", "-c", script], "");
    assert_eq!((output.status, output.stdout.as_str()), (130, "sifcache-stage\n"), "{output:#?}");
    let message = fs::read_to_string(site.at("ctl", "/root/said")).unwrap();
    assert!(message.starts_with("sifcache: waiting for n1: "), "{message}");
    no_job(&site);
}
