//! Which processes touch an image root: only the task's own process, and no process of Slurm.

use crate::kit::quiet::Quiet;
use crate::kit::{IMAGE, LINKED, LOCAL, SHARED, Site};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Traces slurmd on n1 and all processes that it forks while `command` runs. Returns the lines of
/// strace: a process ID, and a call that concerns files or processes.
pub(crate) fn traced(site: &Site, command: &str) -> Vec<String> {
    traced_calls(site, "%file,%process", command)
}

/// Like [`traced`], with the time of each call, in seconds since 1970, after the process ID.
pub(crate) fn traced_with_times(site: &Site, command: &str) -> Vec<String> {
    traced_calls(site, "%file,%process -ttt", command)
}

/// Like [`traced`], for the calls that `calls` names in the syntax of strace's `-e trace=CALLS`,
/// which further options may follow.
fn traced_calls(site: &Site, calls: &str, command: &str) -> Vec<String> {
    let start = format!("timeout 30 strace -f -s 256 -e trace={calls} -o /tmp/trace");
    let on_node = "rm -f /tmp/trace; \
        START -p $(pidof slurmd) & \
        until [ -s /tmp/trace ] || grep -q [1-9] <<<$(awk '/TracerPid/ {print $2}' /proc/$(pidof slurmd)/status); \
        do sleep 0.02; done; touch /shared/traced; \
        while [ -e /shared/traced ]; do sleep 0.02; done; kill $!; wait";
    let on_node = on_node.replace("START", &start);
    let flag = site.at("ctl", "/shared/traced");
    let _ = fs::remove_file(&flag);
    std::thread::scope(|scope| {
        let tracer = scope.spawn(|| site.exec(&["--on", "n1"], &["bash", "-c", &on_node], ""));
        while !flag.exists() && !tracer.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let output = site.alice(&["bash", "-c", command]);
        // Gives slurmstepd time to end, because its last calls are part of the trace.
        std::thread::sleep(std::time::Duration::from_millis(500));
        // This must precede any assertion, because the tracer waits until the file is removed.
        let _ = fs::remove_file(&flag);
        let traced = tracer.join().unwrap();
        assert_eq!(output.status, 0, "{output:#?}");
        assert!(site.at("n1", "/tmp/trace").exists(), "{traced:#?}");
    });
    let trace = fs::read_to_string(site.at("n1", "/tmp/trace")).unwrap();
    trace.lines().map(str::to_owned).collect()
}

/// The processes that touched a path under an image root, up to the start of the runtime.
fn who_looked(trace: &[String]) -> BTreeSet<&str> {
    let call = |line: &&String| !line.contains("execve(");
    trace
        .iter()
        .take_while(|line| !(line.contains("execve(") && line.contains("/apptainer\"")))
        .filter(call)
        .filter(|line| {
            [SHARED, LINKED, LOCAL].iter().any(|root| line.contains(&format!("\"{root}")))
        })
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn only_tasks_make_lookups() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    site.link_root();
    for (root, timeout) in [(SHARED, "off"), (SHARED, "600"), (LINKED, "600")] {
        site.plugstack(&format!(
            "optional spank_sifcache.so image_root={LOCAL}:{root} lookup_timeout={timeout}\n"
        ));
        let trace = traced(&site, "srun -w n1 -n 2 apptainer exec docker://o/i:1 true");
        let (looked, all) = (who_looked(&trace), trace.join("\n"));
        // The two tasks executed the runtime with the image as an argument.
        let image = format!("\"{root}/o/i:1\"");
        let became = |process: &str| {
            let executed = |line: &&String| line.contains("execve(") && line.contains(&image);
            trace.iter().filter(executed).any(|line| line.starts_with(process))
        };
        let (tasks, others): (Vec<&str>, Vec<_>) =
            looked.into_iter().partition(|process| became(process));
        assert_eq!(tasks.len(), 2, "{root} {timeout}: {others:?}");
        // The helper process of each task.
        let of_task = |process: &&str| sender(&all, process).is_some_and(became);
        assert!(others.iter().all(of_task) && others.len() <= 2, "{root} {timeout}: {others:?}");
        match (root, timeout) {
            (_, "off") => assert_eq!(others, [""; 0]),
            (LINKED, _) => assert_eq!(others.len(), 2),
            _ => {}
        }
    }
}

/// The process that created this one, such as the task that started a helper process.
pub(crate) fn sender<'a>(trace: &'a str, helper: &str) -> Option<&'a str> {
    let end = format!(") = {helper}");
    let sent = trace.lines().find(|line| line.contains("clone") && line.ends_with(&end))?;
    sent.split_whitespace().next()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_task_without_a_launch_makes_no_lookup() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let trace = traced(&site, "srun -w n1 true; srun -w n1 echo docker://o/i:1");
    assert!(trace.iter().any(|line| line.contains("execve(")), "the trace contains the tasks");
    assert_eq!(who_looked(&trace), BTreeSet::new());
    assert!(!trace.iter().any(|line| line.contains("/dev/log")));
}

/// srun runs on the login node, where the image roots may not be mounted at all.
#[test]
#[ignore = "needs a testbed: make test"]
fn srun_makes_no_lookup() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let strace = "strace -f -e trace=%file -o trace srun apptainer exec docker://o/i:1 true";
    let output = site.alice(&["bash", "-c", strace]);
    assert_eq!(output.status, 0, "{output:#?}");
    let trace = fs::read_to_string(site.at("ctl", "/home/alice/trace")).unwrap();
    assert!(trace.contains("spank_sifcache.so"), "srun loaded the plugin");
    assert!(!trace.contains(SHARED) && !trace.contains(LOCAL));
}

/// How often the task's process makes each system call between its fork and the start of its
/// program.
fn calls_of_task(site: &Site, plugstack: &str, program: &str, rest: &str) -> BTreeMap<String, i64> {
    site.plugstack(plugstack);
    // Without the plugin, the docker image is unavailable, so the command fails.
    let trace = traced_calls(site, "all", &format!("srun -w n1 {program} {rest} || true"));
    let start = trace.iter().position(|line| line.contains(&format!("execve(\"{program}\"")));
    let start = start.expect("the task's start is in the trace");
    let process = trace[start].split_whitespace().next().unwrap();
    let own = trace[..start].iter().filter_map(|line| line.strip_prefix(process));
    // A call takes two lines if the call of another process comes in between.
    let names = own.filter_map(|line| line.trim().split_once('(')).map(|(name, _)| name);
    let mut calls = BTreeMap::new();
    for name in names.filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
        *calls.entry(name.to_owned()).or_default() += 1;
    }
    calls
}

/// The calls that the plugin adds to a task, with these settings.
pub(crate) fn added_by(
    site: &Site,
    settings: &str,
    program: &str,
    rest: &str,
) -> BTreeMap<String, i64> {
    let without = calls_of_task(site, "# nothing\n", program, rest);
    let settings = format!("{settings} nested=off");
    let line = format!("optional spank_sifcache.so {settings}\n");
    let mut with = calls_of_task(site, &line, program, rest);
    assert!(without.len() > 10, "{without:?}");
    for (name, count) in without {
        *with.entry(name).or_default() -= count;
    }
    with.retain(|_, count| *count != 0);
    with
}

#[test]
#[ignore = "needs a testbed: make test"]
fn added_system_calls_of_a_task() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    site.link_root();
    let added = |root: &str, timeout: &str, program: &str, rest: &str| {
        added_by(&site, &format!("image_root={root} lookup_timeout={timeout}"), program, rest)
    };
    let image = format!("exec {SHARED}/o/i:1 true");
    for (program, rest) in [("/usr/bin/true", ""), ("/usr/bin/apptainer", &image)] {
        assert_eq!(added(SHARED, "30", program, rest), BTreeMap::new());
    }
    let launch = ("/usr/bin/apptainer", "exec docker://o/i:1 true");
    let hit = |(root, timeout): (&str, &str)| added(root, timeout, launch.0, launch.1);
    let waiting = [("close", 3), ("openat", 3), ("read", 1), ("statx", 5)];
    let cached = [("close", 5), ("fstatfs", 1), ("openat2", 5), ("preadv2", 1), ("statx", 5)];
    // The task tries to open the link before it starts a helper process.
    let tried = [("openat2", 1)];
    let helper = [("clone", 1), ("futex", 1), ("mprotect", 2), ("wait4", 1)];
    let helper = [&tried[..], &helper].concat();
    let syslog = [("sendto", 1), ("socket", 1)];
    // `prlimit64`: the memory limits, queried before Slurm's allocator is used; and the memory and
    // file size limits, queried before a line is written.
    let (memory, log) = (("prlimit64", 2), ("prlimit64", 5));
    let expected = |looks: &[(&str, i64)], log: &[(&str, i64)]| -> BTreeMap<String, i64> {
        let calls = [looks, &syslog, log].concat();
        calls.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    };
    // Each with its budget.
    let mut looks: Vec<(_, &[_], _)> =
        vec![((SHARED, "off"), &waiting, 16), ((LINKED, "30"), &helper, 16)];
    if is_on_local_disk(&site) {
        looks.push(((SHARED, "30"), &cached, 21));
    }
    for (variant, looks, _) in &looks {
        let mut verbose = hit(*variant);
        // slurmstepd writes its own log line about the hit. This depends on the log level, and the
        // plugin cannot avoid it. 22.05 also queries the file.
        verbose.retain(|name, _| !matches!(name.as_str(), "write" | "poll" | "newfstatat"));
        // A helper process may end before the task waits for it.
        verbose.entry("futex".to_owned()).or_insert(1);
        let expected = expected(looks, &[log]);
        verbose.retain(|name, _| expected.contains_key(name) || name != "futex");
        assert_eq!(verbose, expected, "{variant:?}");
    }
    let Some(_quiet) = Quiet::new(&site) else { return };
    for (variant, looks, budget) in looks {
        let calls: i64 = hit(variant).values().sum();
        let expected: i64 = expected(looks, &[memory]).values().sum();
        assert!(calls <= expected && expected <= budget, "{calls}, and the budget is {budget}");
    }
}

/// Whether the image root is on ext4 or XFS.
fn is_on_local_disk(site: &Site) -> bool {
    let found = rustix::fs::statfs(site.at("ctl", SHARED)).unwrap();
    [0xef53, 0x5846_5342].contains(&found.f_type)
}
