//! Jobs on a site without syslog, whose nodes send their misses to the listener: `filler=`. The
//! plugin and the shim start `sifcache request`, which has munge sign the request.

use super::Listener;
use crate::kit::filler::{policy, until, with_filler};
use crate::kit::{IMAGE, SHARED, Site, WHICH};
use crate::trace::traced_with_times;
use sifcache_core::queue;
use std::fs;
use std::thread;
use std::time::Duration;

/// The only user who may ask is identified by munge.
const POLICY: &str = "allow = [\"docker.io/determinedai/**\"]\nusers = [\"alice\"]\n";

fn line(settings: &str) -> String {
    format!("optional spank_sifcache.so image_root={SHARED} syslog=off {settings}\n")
}

/// The task's own command, and a launch inside a script. With `fail`, they only run if their wait
/// ends with the image.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_job_that_waits_gets_its_image() {
    let launch = format!("apptainer exec docker://{IMAGE} {}", WHICH.join(" "));
    for words in [launch.split(' ').collect(), vec!["bash", "-c", &launch]] {
        let site = Site::with_line(&line("filler=ctl on_miss=wait:300:fail"));
        let srun = [&["srun", "-wn1"], &words[..]].concat();
        let (output, filler) = with_filler(&site, POLICY, || site.alice(&srun));
        assert_eq!(output.stdout.trim_end(), IMAGE, "{output:#?} {filler:#?}");
        assert!(!site.log("n1").contains("event="), "syslog=off");
    }
}

/// The listener's news reach all tasks of the node, so none of them looks at the queue.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_job_that_has_news_opens_no_queue_file() {
    let site = Site::with_line(&line("filler=ctl on_miss=wait:300:fail"));
    let launch = format!("srun -wn1 apptainer exec docker://{IMAGE} true");
    let (trace, filler) = with_filler(&site, POLICY, || traced_with_times(&site, &launch));
    let mentions = |part: &str| trace.iter().filter(|line| line.contains(part)).count();
    assert!(mentions("--news") > 0 && mentions(&format!("{SHARED}/{IMAGE}")) > 0, "{filler:#?}");
    let opens = trace.iter().filter(|l| l.contains("openat(") && l.contains(queue::DIRECTORY));
    let opens: Vec<&String> = opens.collect();
    assert!(opens.is_empty(), "{opens:#?} {filler:#?}");
}

/// The filler ends while a job waits: the job looks at the queue, and has its image from the next
/// filler.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_wait_outlives_the_listener() {
    let site = Site::with_line(&line("filler=ctl on_miss=wait:300:fail"));
    let quiet = format!("{POLICY}quiet = [\"00:00-24:00\"]\n");
    let launch = || site.launch(&[], &format!("docker://{IMAGE}"));
    thread::scope(|scope| {
        let (job, first) = with_filler(&site, &quiet, || {
            let job = scope.spawn(launch);
            let find = ["pgrep", "-f", "request --send-only --news"];
            until(|| site.exec(&["--on", "n1"], &find, "").status == 0 || job.is_finished());
            // Time for the first entry.
            thread::sleep(Duration::from_secs(1));
            job
        });
        let (output, second) = with_filler(&site, POLICY, || job.join().unwrap());
        output.ran(IMAGE);
        assert!(output.stderr.contains("waiting up to"), "{output:#?} {first:#?} {second:#?}");
    });
}

/// Two users, four tasks on each of two nodes, and a launch that may open few files.
#[test]
#[ignore = "needs a testbed: make test"]
fn all_tasks_of_two_users_start() {
    let site = Site::with_line(&line("filler=ctl on_miss=wait:300:fail"));
    let policy = POLICY.replace("\"alice\"", "\"alice\", \"bob\"");
    let launch = format!("apptainer exec docker://{IMAGE} {}", WHICH.join(" "));
    let few = format!("ulimit -n 64; {launch}");
    let step = format!("srun -w n1,n2 --overcommit --ntasks-per-node=4 {launch}");
    let step: Vec<&str> = step.split(' ').collect();
    let (outputs, filler) = with_filler(&site, &policy, || {
        thread::scope(|scope| {
            let run = |user: &'static str, words: Vec<&'_ str>| {
                let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
                let site = &site;
                scope.spawn(move || {
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    site.exec(&["--user", user], &words, "")
                })
            };
            let jobs = [
                run("alice", step.clone()),
                run("bob", step.clone()),
                run("bob", vec!["srun", "-wn1", "bash", "-c", &few]),
            ];
            jobs.map(|job| job.join().unwrap())
        })
    });
    for (output, tasks) in outputs.iter().zip([8, 8, 1]) {
        let started = output.stdout.lines().filter(|line| *line == IMAGE).count();
        assert_eq!((output.status, started), (0, tasks), "{output:#?} {filler:#?}");
    }
}

/// The command that has the news is killed while a job waits: the job looks at the queue.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_wait_outlives_the_command_with_the_news() {
    let site = Site::with_line(&line("filler=ctl on_miss=wait:300:fail"));
    let quiet = format!("{POLICY}quiet = [\"00:00-24:00\"]\n");
    let ((killed, output), filler) = with_filler(&site, &quiet, || {
        thread::scope(|scope| {
            let job = scope.spawn(|| site.launch(&[], &format!("docker://{IMAGE}")));
            let on_n1 = |script: &str| site.exec(&["--on", "n1"], &["bash", "-c", script], "");
            // The brackets keep pgrep from finding the shell.
            let find = "pgrep -f 'request --send-only --new[s]'";
            until(|| on_n1(find).status == 0 || job.is_finished());
            thread::sleep(Duration::from_secs(1));
            let killed = on_n1(&format!("kill -KILL $({find})"));
            fs::write(policy(&site), POLICY).unwrap();
            (killed, job.join().unwrap())
        })
    });
    assert_eq!(killed.status, 0, "{killed:#?} {output:#?} {filler:#?}");
    output.ran(IMAGE);
}

/// Without a wait, the launch goes on at once, and the image is there for the next job.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_miss_is_reported_and_filled() {
    let site = Site::with_line(&line("filler=ctl on_miss=fail"));
    let image = site.at("ctl", SHARED).join(IMAGE);
    let (output, filler) = with_filler(&site, POLICY, || {
        let output = site.launch(&[], &format!("docker://{IMAGE}"));
        until(|| image.exists());
        assert_eq!(site.launch(&[], "docker://o/i:1").status, 66);
        // The number of users is shown to everybody, but not who they are.
        let queue = || site.exec(&["--user", "bob"], &["sifcache", "queue", "--json"], "").stdout;
        until(|| queue().contains(r#""reference":"o/i:1","state":"refused""#));
        assert!(
            queue().contains(r#""users":1,"reason":"no pattern in allow matches it""#),
            "{}",
            queue()
        );
        output
    });
    assert_eq!(output.status, 66, "{output:#?}");
    assert!(image.exists(), "{filler:#?}");
    site.launch(&[], &format!("docker://{IMAGE}")).ran(IMAGE);
}

/// One process of each node asks, not each task, as the user of the job.
#[test]
#[ignore = "needs a testbed: make test"]
fn one_request_for_each_node() {
    let site = Site::new("");
    let listener = Listener::start(&site);
    let srun = "srun -w n1,n2 --ntasks-per-node=4 apptainer exec docker://o/tasks:1 true";
    let words: Vec<&str> = srun.split(' ').collect();
    site.exec(&["--user", "bob"], &words, "").tried_the_registry();
    let mut all = listener.wait(2);
    all.sort();
    let line = |node| format!("10.77.0.10{node} 1002 docker.io/o/tasks:1");
    assert_eq!(all, [line(1), line(2)]);
    // A launch inside a script, and a pull.
    let script =
        "apptainer exec docker://o/script:1 true; cd; apptainer pull x.sif docker://o/pull:1";
    let nested = site.exec(&["--user", "bob"], &["srun", "-wn1", "bash", "-c", script], "");
    assert_ne!(nested.status, 0);
    let all = listener.wait(4);
    let line = |image: &str| format!("10.77.0.101 1002 docker.io/o/{image}:1");
    assert_eq!(all.get(2..).unwrap(), [line("script"), line("pull")]);
}

/// Nothing listens: a job that waits goes on after the two seconds that a filler has to answer, and
/// the admin finds the reason in syslog.
#[test]
#[ignore = "needs a testbed: make test"]
fn without_a_listener_jobs_go_on() {
    let site = Site::with_line(&format!(
        "optional spank_sifcache.so image_root={SHARED} filler=ctl on_miss=wait\n"
    ));
    let output = site.launch(&[], "docker://o/i:1");
    output.tried_the_registry();
    let end =
        "the wait for docker.io/o/i:1 has ended: no `sifcache fill` has answered; the runtime";
    assert!(output.stderr.contains(end), "{output:#?}");
    site.logged(
        "n1",
        "sifcache: docker.io/o/i:1 cannot be requested: the filler at ctl:7433: Conn",
    );
    // Packets to this address get lost.
    site.plugstack(&line("filler=10.77.0.77 on_miss=wait"));
    let output = site.launch(&[], "docker://o/i:1");
    output.tried_the_registry();
    assert!(output.stderr.contains(end), "{output:#?}");
}
