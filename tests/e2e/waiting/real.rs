//! Faults while jobs wait for the real `sifcache fill`.

use super::until;
use crate::kit::registry::{misbehaving, move_tag};
use crate::kit::{IMAGE, Output, SHARED, Site, WHICH, crash_and_boot, hub, tree, with_hub};
use sifcache_core::queue;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

const NAME: &str = "o/i:1";
/// Failed images are tried again soon. The log also has misses of other images, from other tests.
const POLICY: &str = "allow = [\"docker.io/o/i:1\"]\nunidentified = \"count\"\n\
    backoff = { first = \"1s\", longest = \"2s\" }\n";
/// Images wait in the queue.
const QUIET: &str = "quiet = [\"00:00-24:00\"]\n";
/// Runs until `/shared/stop` exists.
const FILLER: &str = "rm -f /shared/stop; \
    sifcache fill --follow --policy /home/fill.toml --log /var/log/syslog & \
    while [ ! -e /shared/stop ]; do sleep 0.1; done; kill $!; wait; rm /shared/stop";

fn policy(site: &Site, more: &str) {
    let file = site.at("ctl", "/home/fill.toml");
    fs::write(file.with_extension("new"), format!("{POLICY}{more}")).unwrap();
    fs::rename(file.with_extension("new"), file).unwrap();
}

/// Ends the filler.
struct Stop(PathBuf);

impl Drop for Stop {
    fn drop(&mut self) {
        let _ = fs::write(&self.0, "");
    }
}

/// Runs `work` beside a filler on n1. Returns the filler's output as well.
fn beside_filler<T>(site: &Site, work: impl FnOnce() -> T) -> (T, Output) {
    thread::scope(|scope| {
        let filler = scope.spawn(|| site.exec(&["--on", "n1"], &["bash", "-c", FILLER], ""));
        let stop = Stop(site.at("ctl", "/shared/stop"));
        let beat = site.at("ctl", SHARED).join(queue::DIRECTORY).join("beat");
        until(|| beat.exists() || filler.is_finished());
        let result = work();
        drop(stop);
        (result, filler.join().unwrap())
    })
}

fn launch(site: &Site) -> Output {
    let uri = format!("docker://{NAME}");
    let words = [&["srun", "-wn1", "-J", "waits", "apptainer", "exec", &uri][..], &WHICH].concat();
    site.alice(&words)
}

/// Whether a task on n1 waits for an image.
fn is_waiting(site: &Site) -> bool {
    let find = ["pgrep", "-x", "sifcache-wait"];
    site.exec(&["--on", "n1"], &find, "").status == 0
}

/// The entry of the image in the queue.
fn entry(site: &Site) -> String {
    let reference = sifcache_core::reference::Reference::parse(NAME.as_bytes()).unwrap();
    let file = site.at("ctl", SHARED).join(queue::file(&reference));
    fs::read_to_string(file).unwrap_or_default()
}

fn image(site: &Site) -> PathBuf {
    site.at("ctl", SHARED).join(NAME)
}

/// A registry that fails in each way: the job gets the reason, nothing incomplete is left, and the
/// image is added when the registry works again. A slow one only takes longer.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_registry_that_fails_while_a_job_waits() {
    let site = Site::new("on_miss=wait:300:fail");
    policy(&site, "stall-timeout = \"2s\"\n");
    hub("start");
    move_tag(IMAGE, NAME);
    hub("stop");
    let ((), filler) = beside_filler(&site, || {
        for (fault, why) in [
            ("corrupt", "checksum"),
            ("stall=300000", "no data have arrived for 2s"),
            ("manifests=500", "500"),
            ("refused", "connection refused"),
            ("slow=2000000", ""),
        ] {
            let registry = (fault != "refused").then(|| misbehaving(fault));
            let ended =
                "sifcache: the wait for docker.io/o/i:1 has ended: the image cannot be added: ";
            let is_answer = |output: &Output| match why {
                "" => (output.status, output.stdout.trim_end()) == (0, IMAGE),
                why => {
                    output.stderr.lines().any(|line| line.starts_with(ended) && line.contains(why))
                }
            };
            // During the pause, the answer is that of the attempt before.
            let mut output = launch(&site);
            for _ in 0..10 {
                if is_answer(&output) {
                    break;
                }
                thread::sleep(Duration::from_millis(500));
                output = launch(&site);
            }
            drop(registry);
            assert!(is_answer(&output), "{fault}: {output:#?}");
            if why.is_empty() {
                continue;
            }
            assert_eq!(output.status, 66, "{fault}: {output:#?}");
            assert!(!image(&site).exists(), "{fault}");
        }
    });
    // The tag, and its digest.
    assert_eq!(tree::check(&site.at("ctl", SHARED)).len(), 2, "{filler:#?}");
    tree::is_clean(&site.at("ctl", SHARED));
}

/// The user cancels the job, and the request stays. The image is removed while a task that waits for
/// it is stopped.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_job_is_cancelled_and_an_image_is_removed_while_jobs_wait() {
    let site = Site::new("on_miss=wait:300:fail");
    policy(&site, QUIET);
    let signal = |name: &str| {
        let signal = format!("--signal={name}");
        let sent = site.alice(&["scancel", &signal, "--user=alice", "--name=waits"]);
        assert_eq!(sent.status, 0, "{sent:#?}");
    };
    let ((cancelled, removed), filler) = beside_filler(&site, || {
        with_hub(|| {
            move_tag(IMAGE, NAME);
            thread::scope(|scope| {
                let job = scope.spawn(|| launch(&site));
                until(|| is_waiting(&site) || job.is_finished());
                signal("TERM");
                let cancelled = job.join().unwrap();
                let job = scope.spawn(|| launch(&site));
                until(|| is_waiting(&site) || job.is_finished());
                let all = |signal: &str| {
                    let words = ["pkill", signal, "-u", "alice", "-x", "sifcache-wait"];
                    assert_eq!(site.exec(&["--on", "n1"], &words, "").status, 0);
                };
                all("-STOP");
                policy(&site, "");
                until(|| image(&site).exists());
                until(|| entry(&site).contains("state=done"));
                fs::remove_file(image(&site)).unwrap();
                all("-CONT");
                (cancelled, job.join().unwrap())
            })
        })
    });
    assert_eq!(cancelled.status, 143, "{cancelled:#?} {filler:#?}");
    assert_eq!(removed.status, 66, "{removed:#?} {filler:#?}");
    let why = "the wait for docker.io/o/i:1 has ended: the image was removed again\n";
    assert!(removed.stderr.contains(why), "{removed:#?} {filler:#?}");
}

/// The node of the filler crashes during a pull, and with it a job that waits there. A job on
/// another node goes on after 30 seconds. After the boot, the filler continues: no request is lost,
/// and nothing that was left behind is in the way.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_node_reboots_while_jobs_wait() {
    let site = Site::new("on_miss=wait:300:fail");
    policy(&site, "");
    hub("start");
    move_tag(IMAGE, NAME);
    hub("stop");
    let slow = misbehaving("slow=20000");
    let other = thread::scope(|scope| {
        let filler = format!("setsid bash -c {FILLER:?} </dev/null >/dev/null 2>&1 &");
        let filler = filler.replace('$', "\\$");
        site.exec(&["--on", "n1"], &["bash", "-c", &filler], "");
        let beat = site.at("ctl", SHARED).join(queue::DIRECTORY).join("beat");
        until(|| beat.exists());
        scope.spawn(|| launch(&site));
        until(|| is_waiting(&site) && entry(&site).contains("state=pulling"));
        let other = scope.spawn(|| {
            let uri = format!("docker://{NAME}");
            site.srun(&["-wn2", "apptainer", "exec", &uri, "true"])
        });
        until(|| site.log("n2").contains(" wait="));
        let other = crash_and_boot("n1", || other.join().unwrap());
        // What the job of n1 has become does not matter here.
        site.alice(&["scancel", "--user=alice"]);
        other
    });
    assert_eq!(other.status, 66, "{other:#?}");
    let gone = "the wait for docker.io/o/i:1 has ended: `sifcache fill` has stopped\n";
    assert!(other.stderr.contains(gone), "{other:#?}");
    assert!(!image(&site).exists());
    drop(slow);
    let (output, filler) = beside_filler(&site, || {
        with_hub(|| {
            until(|| image(&site).exists());
            launch(&site)
        })
    });
    assert_eq!((output.status, output.stdout.trim_end()), (0, IMAGE), "{output:#?} {filler:#?}");
    tree::is_clean(&site.at("ctl", SHARED));
}
