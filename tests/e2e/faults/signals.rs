//! A signal at each step of the plugin's work in a task, and jobs that are cancelled at an
//! arbitrary time after their start.

use super::mounted::{Mounted, ROOT};
use super::second_plugin::{self, RUNTIME};
use super::table::{Found, compare, ended};
use super::{NAME, WITHOUT, as_asked, of_root_with, on_n1, ours, seen, settled, unharmed, with};
use crate::kit::{IMAGE, LINKED, SHARED, Site};
use std::fs;
use std::time::Duration;

/// A file that exists while n1's slurmd is traced.
const TRACED: &str = "/shared/traced";
/// A file that exists while a script searches for stopped tasks.
const WATCHED: &str = "/shared/watched";
/// System calls that a hit makes on the image root, its directory and the image, each with its
/// ordinal among the calls of the same name.
const CALLS: [(&str, usize); 6] =
    [("openat", 1), ("statx", 1), ("openat", 3), ("statx", 3), ("read", 1), ("close", 3)];

/// System calls of a hit from the kernel's caches.
const CACHED: [(&str, usize); 2] = [("openat2", 1), ("preadv2", 1)];

/// Traces every thread of slurmd while `work` runs. A process that calls `call` on one of `paths`
/// gets `signal` at the call with the number `when`.
fn with_signal<T>(
    site: &Site,
    (call, when): (&str, usize),
    [paths, signal]: [&str; 2],
    work: impl FnOnce() -> T,
) -> T {
    let strace = format!(
        "timeout 60 strace -f {paths} -e trace={call} -e inject={call}:signal={signal}:when={when} \
             -o /tmp/trace -p $(pidof slurmd) & \
         n=0; while grep -qE '^TracerPid:.0$' /proc/$(pidof slurmd)/task/*/status && [ $n -lt 1000 ]; \
             do sleep 0.01; n=$((n+1)); done; touch {TRACED}; n=0; \
         while [ -e {TRACED} ] && [ $n -lt 6000 ]; do sleep 0.01; n=$((n+1)); done; kill $!; wait"
    );
    let flag = site.at("ctl", TRACED);
    let _ = fs::remove_file(&flag);
    std::thread::scope(|scope| {
        let tracer = scope.spawn(|| site.exec(&["--on", "n1"], &["bash", "-c", &strace], ""));
        while !flag.exists() && !tracer.is_finished() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let result = work();
        let _ = fs::remove_file(&flag);
        tracer.join().unwrap();
        result
    })
}

/// The plugin's line for a lookup in the task itself.
fn by_the_task() -> String {
    of_root_with(SHARED, "lookup_timeout=off")
}

#[test]
#[ignore = "needs a testbed: make test"]
fn at_each_call() {
    let site = Site::new("");
    second_plugin::install();
    site.store(IMAGE, NAME);
    let image = format!("-P {SHARED} -P {SHARED}/o -P {SHARED}/{NAME}");
    let runtime = format!("-P {RUNTIME}");
    let looks = second_plugin::then(&format!("look={SHARED}/{NAME}"), "");
    let launch = || second_plugin::launch(&site, &[]);
    for fault in [
        "SIGTERM in the task, before its `execve`",
        "SIGKILL in the task, before its `execve`",
        "SIGINT in the task, before its `execve`",
        "SIGALRM in the task, before its `execve`",
        "SIGUSR1 in the task, before its `execve`",
    ] {
        let signal = fault.split(' ').next().unwrap();
        site.plugstack(WITHOUT);
        let at_execve = with_signal(&site, ("execve", 1), [&runtime, signal], launch);
        for call in CALLS {
            // For comparison, another plugin reads the same file, because some releases of Slurm
            // handle a signal themselves before the task's own `execve`.
            let [without, with] = [&looks, &by_the_task()].map(|line| {
                site.plugstack(line);
                with_signal(&site, call, [&image, signal], launch)
            });
            let alike = as_asked(&with) == as_asked(&without);
            assert!(alike, "{signal} at {call:?}: {with:#?}, without sifcache {without:#?}");
        }
        site.plugstack(&looks);
        let without = with_signal(&site, ("openat", 1), [&image, signal], launch);
        site.plugstack(&of_root_with(SHARED, ""));
        for call in CACHED {
            let with = with_signal(&site, call, [&image, signal], launch);
            let alike = as_asked(&with) == as_asked(&without);
            assert!(alike, "{signal} at {call:?}: {with:#?}, without sifcache {without:#?}");
        }
        let found = Found {
            without: format!("status {}", at_execve.status),
            with: "the same, at each system call".to_owned(),
            user: String::new(),
            admin: String::new(),
        };
        compare(fault, &found);
        unharmed(&site);
    }
}

/// While `work` runs, continues every stopped process of alice on n1, and returns whether there was
/// one. A traced process also stops for a moment at each of its calls. A process that got the
/// signal is still stopped a tenth of a second later.
fn going_on<T>(site: &Site, work: impl FnOnce() -> T) -> (T, bool) {
    let script = format!(
        "still() {{ ps -u alice -o stat=,pid= | grep -i ^t; }}; \
         stopped=no; n=0; touch {WATCHED}; while [ -e {WATCHED} ] && [ $n -lt 600 ]; do \
             before=$(still) && sleep 0.1 && [ \"$(still)\" = \"$before\" ] && \
                 stopped=yes && pkill -CONT -u alice; \
             sleep 0.02; n=$((n+1)); done; echo $stopped"
    );
    let flag = site.at("ctl", WATCHED);
    let _ = fs::remove_file(&flag);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| on_n1(site, &script));
        while !flag.exists() && !watcher.is_finished() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let result = work();
        let _ = fs::remove_file(&flag);
        (result, watcher.join().unwrap() == "yes\n")
    })
}

/// A user's debugger and `scontrol suspend` stop tasks in this way.
#[test]
#[ignore = "needs a testbed: make test"]
fn stopped_at_each_call() {
    let site = Site::new("");
    second_plugin::install();
    site.store(IMAGE, NAME);
    let image = format!("-P {SHARED} -P {SHARED}/o -P {SHARED}/{NAME}");
    let runtime = format!("-P {RUNTIME}");
    let launch = |call, paths: &str| {
        let traced =
            || with_signal(&site, call, [paths, "SIGSTOP"], || second_plugin::launch(&site, &[]));
        let (output, stopped) = going_on(&site, traced);
        assert!(stopped, "the process was not stopped at {call:?}");
        output
    };
    site.plugstack(WITHOUT);
    let without = launch(("execve", 1), &runtime);
    site.plugstack(&by_the_task());
    for call in CALLS {
        let with = launch(call, &image);
        assert_eq!(as_asked(&with), as_asked(&without), "{with:#?}");
    }
    let found = Found {
        without: format!("{} after SIGCONT", ended(&without)),
        with: "the same, at each system call".to_owned(),
        user: String::new(),
        admin: String::new(),
    };
    compare("SIGSTOP and SIGCONT in the task, before its `execve`", &found);
    unharmed(&site);
}

/// A task that waits for its helper process ends like any other, whatever the helper process waits
/// for.
#[test]
#[ignore = "needs a testbed: make test"]
fn in_a_task_that_waits() {
    let site = Site::with_line(&of_root_with(ROOT, "lookup_timeout=600"));
    second_plugin::install();
    let find = "for n in $(seq 500); do helper=$(pgrep -n -x sifcache-probe) && \
                    ps -o ppid= -p $helper && exit; sleep 0.02; done; exit 1";
    for (signal, number) in [("TERM", 15), ("KILL", 9), ("INT", 2), ("ALRM", 14), ("USR1", 10)] {
        let mounted = Mounted::faulty(&site);
        mounted.fault("all hang");
        let (output, caught) = std::thread::scope(|scope| {
            let job = scope.spawn(|| second_plugin::launch(&site, &[]));
            let task = on_n1(&site, find).trim().to_owned();
            // Before 26.05, Slurm itself catches some signals until the task's own `execve`.
            let caught = on_n1(&site, &format!("awk '/^SigCgt/ {{print $2}}' /proc/{task}/status"));
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
            let caught = caught & 1 << (number - 1) != 0;
            on_n1(&site, &format!("kill -{signal} {task}"));
            if caught {
                on_n1(&site, &format!("kill -KILL {task}"));
            }
            (job.join().unwrap(), caught)
        });
        let number = if caught { libc::SIGKILL } else { number };
        assert_eq!((output.status, output.stdout.as_str()), (128 + number, ""), "{signal}");
        unharmed(&site);
    }
    let found = Found {
        without: "status 128 + the signal's number".to_owned(),
        with: "the same".to_owned(),
        user: String::new(),
        admin: String::new(),
    };
    compare(
        "SIGTERM, SIGKILL, SIGINT, SIGALRM, SIGUSR1 in a task that waits for its helper process",
        &found,
    );
}

/// The helper process dies, but the task does not.
#[test]
#[ignore = "needs a testbed: make test"]
fn in_the_helper_process() {
    let site = Site::new("");
    second_plugin::install();
    site.store(IMAGE, NAME);
    site.link_root();
    let image = format!("-P {SHARED} -P {SHARED}/o -P {SHARED}/{NAME}");
    let launch = || second_plugin::launch(&site, &[]);
    site.plugstack(WITHOUT);
    let without = launch();
    site.plugstack(&of_root_with(LINKED, "lookup_timeout=1"));
    for signal in ["SIGKILL", "SIGSTOP"] {
        for call in CALLS {
            let before = seen(&site);
            let with = with_signal(&site, call, [&image, signal], launch);
            assert_eq!(as_asked(&with), as_asked(&without), "{signal} at {call:?}");
            let log = ours(&settled(&site, &before));
            assert!(log.contains("why=no-answer"), "{signal} at {call:?}: {log}");
        }
    }
    let found = Found {
        without: ended(&without),
        with: format!("{}, a miss", ended(&without)),
        user: String::new(),
        admin: format!("`the image root {LINKED} does not answer`"),
    };
    compare("SIGKILL or SIGSTOP in the helper process", &found);
    unharmed(&site);
}

/// Jobs that are cancelled at an arbitrary time after their start. `SIFCACHE_CANCELS` sets their
/// number.
#[test]
#[ignore = "needs a testbed: make test"]
fn cancelled() {
    let site = Site::new("");
    second_plugin::install();
    site.store(IMAGE, NAME);
    let jobs = std::env::var("SIFCACHE_CANCELS").unwrap_or_else(|_| "100".to_owned());
    let script = format!(
        "for n in $(seq {jobs}); do ( \
             timeout 60 srun -w n1 -J c$n {RUNTIME} exec docker://{NAME} true >/dev/null 2>&1 & \
             sleep 0.$(printf %03d $((RANDOM % 150))); scancel -n c$n; wait $!; \
             [ $? != 124 ] || echo c$n hangs ) & \
             [ $((n % 5)) != 0 ] || wait; done; wait"
    );
    for line in [WITHOUT.to_owned(), with()] {
        site.plugstack(&line);
        let output = site.alice(&["bash", "-c", &script]);
        assert_eq!((output.status, output.stdout.as_str()), (0, ""), "{output:#?}");
        unharmed(&site);
    }
    let found = Found {
        without: "every job ends".to_owned(),
        with: "every job ends".to_owned(),
        user: String::new(),
        admin: "a hit for each task that got that far".to_owned(),
    };
    compare("`scancel` at random times, 100 times", &found);
}
