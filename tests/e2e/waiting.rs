//! Jobs that wait for a missing image: `on_miss=wait` and `--sif-cache=wait`.
//!
//! A stand-in for `sifcache fill` answers: these tests write the queue entries and the images
//! themselves.

mod ended;
mod real;

use crate::kit::{IMAGE, Output, SHARED, Site, WHICH, with_hub};
use crate::trace::traced_with_times;
use sifcache_core::queue::{self, Entry, State};
use sifcache_core::reference::Reference;
use std::cell::Cell;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

const MISSING: &str = "docker://o/i:1";

/// Writes what the filler would write about [`MISSING`].
struct StandIn<'a> {
    site: &'a Site,
    file: String,
    beat: Cell<u64>,
}

impl<'a> StandIn<'a> {
    fn new(site: &'a Site) -> Self {
        let file = queue::file(&Reference::parse(b"o/i:1").unwrap());
        Self { site, file, beat: Cell::new(1) }
    }

    fn says(&self, state: State, reason: &str) {
        self.beat.set(self.beat.get() + 1);
        let entry = Entry {
            reference: "docker.io/o/i:1".to_owned(),
            state,
            size: 100 << 20,
            received: 25 << 20,
            seconds_left: Some(3),
            ahead: 0,
            users: None,
            beat: self.beat.get(),
            reason: reason.to_owned(),
        };
        let new = self.site.write(&format!("{}.new", self.file), format!("{entry}\n").as_bytes());
        fs::rename(&new, new.with_extension("")).unwrap();
    }

    /// Runs `launch`. When `node` has logged its miss, calls `answer`.
    fn answers(
        &self,
        node: &str,
        launch: impl FnOnce() -> Output + Send,
        answer: impl FnOnce(),
    ) -> Output {
        thread::scope(|scope| {
            let running = scope.spawn(launch);
            until(|| self.has_logged_miss(node) || running.is_finished());
            if !running.is_finished() {
                answer();
            }
            running.join().unwrap()
        })
    }

    fn has_logged_miss(&self, node: &str) -> bool {
        let log = self.site.log(node);
        log.lines().any(|line| {
            line.contains("event=miss") && line.contains("reference=docker.io/o/i:1 wait=")
        })
    }

    /// Adds the image as the filler does: the entry changes when the image has its name.
    fn adds(&self) {
        self.says(State::Pulling, "");
        self.site.store(IMAGE, "o/i:1");
        self.says(State::Done, "");
    }
}

/// Waits for a condition.
#[track_caller]
fn until(condition: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < limit, "the condition is never true");
        thread::sleep(Duration::from_millis(20));
    }
}

const ADDED: &str = "sifcache: docker.io/o/i:1 is in the image cache now, after ";

/// Each kind of command, with the setting and with the option.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_command_starts_when_its_image_has_been_added() {
    let which = WHICH.join(" ");
    for (setting, options, script) in [
        ("on_miss=wait:300:fail", [].as_slice(), format!("srun apptainer exec {MISSING} {which}")),
        ("nested=path", &["--sif-cache=wait"], format!("apptainer exec {MISSING} {which}")),
        (
            "on_miss=wait:300:fail",
            &[],
            format!(
                "cd && rm -f x.sif && apptainer pull x.sif {MISSING} && apptainer exec x.sif {which}"
            ),
        ),
        (
            "on_miss=wait:300:fail",
            &[],
            format!("cd && rm -rf x && apptainer build -s x {MISSING} && cat x/etc/image-name"),
        ),
    ] {
        let site = Site::new(setting);
        let filler = StandIn::new(&site);
        filler.says(State::Queued, "");
        let output = filler.answers(
            "n1",
            || site.sbatch(options, &script),
            || {
                // Time for a poll, so that there is progress to show.
                thread::sleep(Duration::from_secs(3));
                filler.adds();
            },
        );
        assert_eq!(output.status, 0, "{script}: {output:#?}");
        assert_eq!(output.stdout.lines().next_back(), Some(IMAGE), "{script}: {output:#?}");
        let first = "sifcache: waiting up to ";
        assert!(output.stdout.lines().any(|line| line.starts_with(first)), "{output:#?}");
        assert!(output.stdout.lines().any(|line| line.starts_with(ADDED)), "{output:#?}");
        site.logged("n1", "event=hit job=");
        site.logged("n1", " reference=docker.io/o/i:1 image=/shared/sif/o/i:1\n");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_end_of_a_wait_without_the_image() {
    let site = Site::new("on_miss=wait");
    let filler = StandIn::new(&site);
    let why = |end: &str| format!("sifcache: the wait for docker.io/o/i:1 has ended: {end}");
    let launch = || site.launch(&[], MISSING);

    let nobody = launch();
    nobody.tried_the_registry();
    let no_filler = why("no `sifcache fill` has answered; the runtime now pulls it\n");
    assert!(nobody.stderr.contains(&no_filler), "{nobody:#?}");

    let refused = filler.answers("n1", launch, || filler.says(State::Refused, "rule 3 (o/*)"));
    refused.tried_the_registry();
    let rule = why("the image is refused: rule 3 (o/*); the runtime now pulls it\n");
    assert!(refused.stderr.contains(&rule), "{refused:#?}");

    site.plugstack(&format!(
        "optional spank_sifcache.so image_root={SHARED} on_miss=wait:2:fail\n"
    ));
    filler.says(State::Pulling, "");
    let late = launch();
    assert_eq!((late.status, late.stdout.as_str()), (66, ""), "{late:#?}");
    for text in
        [&why("2 s have passed\n"), "fails because of on_miss=wait:2:fail in plugstack.conf"]
    {
        assert!(late.stderr.contains(text), "{late:#?}");
    }
    site.launch(&["--sif-cache=off"], MISSING).tried_the_registry();
}

/// The task's own command waits in the task's process, before it is executed. Slurm must be able to
/// signal this process like the command.
#[test]
#[ignore = "needs a testbed: make test"]
fn signals_end_a_wait() {
    // With KILL, Slurm cancels the job, and sends TERM first.
    for (signal, status) in [("TERM", 143), ("INT", 130), ("KILL", 143)] {
        let site = Site::new("on_miss=wait:300");
        let filler = StandIn::new(&site);
        filler.says(State::Queued, "");
        let launch = || site.launch(&["-J", "waits"], MISSING);
        let output = filler.answers("n1", launch, || {
            let signal = format!("--signal={signal}");
            let sent = site.alice(&["scancel", &signal, "--user=alice", "--name=waits"]);
            assert_eq!(sent.status, 0, "{sent:#?}");
        });
        assert_eq!(output.status, status, "{signal}: {output:#?}");
        site.idle("n1");
    }
}

/// Two users, four tasks each, on one node: one poll a second for all of them.
#[test]
#[ignore = "needs a testbed: make test"]
fn one_poll_a_second_for_all_tasks_of_a_node() {
    let site = Site::new("on_miss=wait:300:fail");
    let filler = StandIn::new(&site);
    let launch = format!("-n 4 apptainer exec {MISSING} true");
    let alice = format!("srun -N 2 --ntasks-per-node=4 {}", launch.replace("-n 4 ", ""));
    let start = Instant::now();
    // Both nodes miss the image at about the same time, and wait two seconds for an answer.
    filler.says(State::Queued, "");
    let (trace, time) = thread::scope(|scope| {
        let traced = scope.spawn(|| traced_with_times(&site, &alice));
        let bob = scope.spawn(|| {
            let words: Vec<&str> = "srun -w n1".split(' ').chain(launch.split(' ')).collect();
            until(|| has_logged_miss_of(&site, "uid=1001"));
            site.exec(&["--user", "bob"], &words, "")
        });
        until(|| has_logged_miss_of(&site, "uid=1002"));
        for _ in 0..7 {
            filler.says(State::Queued, "");
            thread::sleep(Duration::from_secs(1));
        }
        filler.adds();
        let bob = bob.join().unwrap();
        assert_eq!(bob.status, 0, "{bob:#?}");
        (traced.join().unwrap(), start.elapsed())
    });
    let opens = trace.iter().filter(|l| l.contains("openat(") && l.contains(queue::DIRECTORY));
    let times: Vec<f64> =
        opens.map(|line| line.split_whitespace().nth(1).unwrap().parse().unwrap()).collect();
    let least = times.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let text = trace.join("\n");
    assert!(times.len() >= 5 && least >= 1.0, "{least} s between polls in {time:?}:\n{text}");
}

fn has_logged_miss_of(site: &Site, uid: &str) -> bool {
    let log = site.log("n1");
    log.lines().any(|line| line.contains("event=miss") && line.contains(uid))
}

/// Reads the log of n1 until `/shared/stop` exists.
const FILLER: &str = "rm -f /shared/stop; \
    sifcache fill --follow --policy /home/fill.toml --log /var/log/syslog & \
    while [ ! -e /shared/stop ]; do sleep 0.1; done; kill $!; wait; rm /shared/stop";

/// With the real `sifcache fill` and a registry: alice and bob ask for an image that nobody has
/// added.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_real_filler_answers() {
    let site = Site::new("on_miss=wait:300:fail");
    let policy = "allow = [\"docker.io/determinedai/**\"]\nunidentified = \"count\"\n";
    fs::write(site.at("ctl", "/home/fill.toml"), policy).unwrap();
    let launch = |user: &str, image: &str| {
        let uri = format!("docker://{image}");
        let words = [["srun", "-wn1", "apptainer", "exec", &uri].as_slice(), &WHICH].concat();
        site.exec(&["--user", user], &words, "")
    };
    let outputs = with_hub(|| {
        thread::scope(|scope| {
            let filler = scope.spawn(|| site.exec(&["--on", "n1"], &["bash", "-c", FILLER], ""));
            let queue = site.at("ctl", SHARED).join(queue::DIRECTORY);
            until(|| queue.exists() || filler.is_finished());
            let launch = &launch;
            let both = ["alice", "bob"].map(|user| scope.spawn(move || launch(user, IMAGE)));
            let outputs = both.map(|launched| launched.join().unwrap());
            let refused = launch("alice", "o/i:1");
            fs::write(site.at("ctl", "/shared/stop"), "").unwrap();
            (outputs, refused, filler.join().unwrap())
        })
    });
    let ([alice, bob], refused, filler) = outputs;
    for output in [&alice, &bob] {
        assert_eq!(
            (output.status, output.stdout.trim_end()),
            (0, IMAGE),
            "{output:#?} {filler:#?}"
        );
    }
    assert_eq!(refused.status, 66, "{refused:#?} {filler:#?}");
    let why = "the wait for docker.io/o/i:1 has ended: the image is refused: ";
    assert!(refused.stderr.contains(why), "{refused:#?} {filler:#?}");
}
