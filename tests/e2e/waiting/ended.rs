//! Users and Slurm end a job that waits. Nothing is left on the node, and the filler goes on.

use crate::kit::filler::{policy, until, with_filler};
use crate::kit::{IMAGE, SHARED, Site, thorough};
use std::fs;
use std::thread;

/// Nothing is pulled before the test changes the policy.
const QUIET: &str = "allow = [\"docker.io/determinedai/**\"]\nquiet = [\"00:00-24:00\"]\n";

/// Starts srun with the arguments of the script. When the file `/shared/end` exists, sends it SIGINT
/// until it ends, as a user does who presses Ctrl-C: the first one only prints a message, and on a
/// slow machine the second one may come too late to count.
const CTRL_C: &str = "env --default-signal=INT srun \"$@\" & \
    until [ -e /shared/end ]; do sleep 0.05; done; \
    while kill -INT $!; do sleep 0.3; done 2>/dev/null; wait $!";

/// Only srun.
const SRUN: &str = "srun \"$@\"";

/// How a wait ends.
struct End {
    script: &'static str,
    /// The command that ends it, as root.
    command: &'static str,
    /// The status of srun.
    status: i32,
    /// A part of the messages of slurmstepd, which srun prints if it arrives before the end of the
    /// step. For Ctrl-C, some releases print none.
    message: Option<&'static str>,
}

const CANCEL: &str = "scancel --name=waits";
/// slurmctld looks for such jobs twice a minute.
const TIME_LIMIT: &str = "scontrol update jobid=$(squeue -h -n waits -o %A) endtime=now";

/// What a wait can leave on n1: processes of alice, and sockets.
fn left(site: &Site) -> String {
    let script = "pgrep -a -u alice; grep -a sifcache /proc/net/unix; true";
    site.exec(&["--on", "n1"], &["bash", "-c", script], "").stdout
}

/// Runs `words` as a job step that waits, and ends the wait.
fn end(site: &Site, end: &End, words: &[&str]) {
    let stop = site.at("ctl", "/shared/end");
    let _ = fs::remove_file(&stop);
    // Instances of other tests run on.
    let before = left(site);
    let output = thread::scope(|scope| {
        let job = scope.spawn(|| {
            let script = ["bash", "-c", end.script, "-", "-wn1", "-Jwaits"];
            site.alice(&[&script, words].concat())
        });
        // The command that passes on the listener's news, and a connection of the process that waits.
        let waits = || left(site).matches("@sifcache-request/").count() > 1;
        until(|| waits() || job.is_finished());
        fs::write(&stop, "").unwrap();
        site.exec(&[], &["bash", "-c", end.command], "");
        job.join().unwrap()
    });
    assert_eq!(output.status, end.status, "{output:#?}");
    let is_printed =
        |text| [text, "srun: Job step aborted"].iter().any(|one| output.stderr.contains(one));
    assert!(end.message.is_none_or(is_printed), "{output:#?}");
    // The wait was ended from outside.
    assert!(!output.stderr.contains("has ended"), "{output:#?}");
    until(|| left(site).lines().all(|line| before.lines().any(|other| other == line)));
    site.idle("n1");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn nothing_is_left_and_the_filler_goes_on() {
    let settings = "filler=ctl syslog=off on_miss=wait:300:fail";
    let site =
        Site::with_line(&format!("optional spank_sifcache.so image_root={SHARED} {settings}\n"));
    let image = site.at("ctl", SHARED).join(IMAGE);
    let launch = format!("apptainer exec docker://{IMAGE} true");
    let own: Vec<&str> = launch.split(' ').collect();
    let nested = ["bash", "-c", &launch, "-"];
    let ctrl_c = End { script: CTRL_C, command: "true", status: 130, message: None };
    let cancel = End { script: SRUN, command: CANCEL, status: 143, message: Some("CANCELLED AT ") };
    let time =
        End { script: SRUN, command: TIME_LIMIT, status: 143, message: Some("DUE TO TIME LIMIT") };
    let queue = || site.alice(&["sifcache", "queue"]).stdout;
    let ((), filler) = with_filler(&site, QUIET, || {
        end(&site, &ctrl_c, &own);
        end(&site, &ctrl_c, &nested);
        end(&site, &cancel, &own);
        if thorough() {
            end(&site, &time, &own);
        }
        // The request stays.
        let text = queue();
        assert!(text.contains("queued  ") && text.contains("quiet hours"), "{text}");
        fs::write(policy(&site), QUIET.replace("00:00-24:00", "00:00-00:01")).unwrap();
        until(|| image.exists());
    });
    assert!(image.exists(), "{filler:#?}");
}
