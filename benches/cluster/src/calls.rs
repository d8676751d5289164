//! The number of system calls of a step with and without the plugin, counted by strace.

use crate::experiments::launches::SMALL;
use crate::site::{LINE, NONE, image, sif};
use crate::statistics::summary;
use crate::testbed;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The system calls that the plugin adds to one kind of task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Added {
    /// The kind of task.
    pub(crate) task: String,
    /// The number of additional calls, by name, in the task's process between fork and `execve`.
    pub(crate) in_task: BTreeMap<String, i64>,
    /// All calls in slurmstepd's main thread, without and with the plugin: medians.
    pub(crate) slurmstepd: (f64, f64),
    /// The same in srun's main thread.
    pub(crate) srun: (f64, f64),
}

/// The calls that were traced in one step.
#[derive(Default)]
struct Traced {
    in_task: BTreeMap<String, i64>,
    slurmstepd: f64,
    srun: f64,
}

/// Traces each kind of task `times` times, without and with the plugin.
pub(crate) fn count(times: usize) -> Result<Vec<Added>> {
    let docker = |name: &str| format!("/usr/bin/apptainer exec docker://{name} true");
    // The path of the SIF is the same for all kinds of task, so that no calls for following a link
    // to it are counted.
    let kinds = [
        ("no launch", "/usr/bin/true".to_owned()),
        ("a pass", format!("/usr/bin/apptainer exec {} true", sif(SMALL))),
        ("a hit", docker(&image(SMALL))),
        ("a miss", docker("alpine:3.20")),
    ];
    kinds.iter().map(|(task, line)| added(task, line, times)).collect()
}

fn added(task: &str, line: &str, times: usize) -> Result<Added> {
    let traced = |plugstack: &str| -> Result<Vec<Traced>> {
        fs::write(testbed::at("ctl", "/etc/slurm/plugstack.conf")?, plugstack)?;
        (0..times).map(|_| trace(line)).collect()
    };
    let (without, with) = (traced(NONE)?, traced(LINE)?);
    let median = |all: &[Traced], what: fn(&Traced) -> f64| {
        summary(&all.iter().map(what).collect::<Vec<_>>()).median
    };
    let both = |what: fn(&Traced) -> f64| (median(&without, what), median(&with, what));
    let mut in_task = BTreeMap::new();
    if let (Some(with), Some(without)) = (with.first(), without.first()) {
        for (sign, calls) in [(1, &with.in_task), (-1, &without.in_task)] {
            for (name, count) in calls {
                *in_task.entry(name.clone()).or_default() += sign * count;
            }
        }
    }
    in_task.retain(|_, count| *count != 0);
    Ok(Added {
        task: task.to_owned(),
        in_task,
        slurmstepd: both(|traced| traced.slurmstepd),
        srun: both(|traced| traced.srun),
    })
}

/// Traces one step, in srun and on the node.
fn trace(line: &str) -> Result<Traced> {
    testbed::on("n1", START)?;
    let srun = format!(
        "rm -rf /tmp/calls; mkdir -m 777 /tmp/calls; cd /tmp
         setpriv --reuid=1001 --regid=1001 --clear-groups \
            env HOME=/home/alice strace -ff -o /tmp/calls/t srun -w n1 {line}"
    );
    let ran = testbed::on("ctl", &srun);
    testbed::on("n1", STOP)?;
    ran?;
    let mut traced = Traced::default();
    let program = line.split(' ').next().unwrap_or_default();
    read(&testbed::at("n1", "/tmp/calls")?, program, &mut traced)?;
    read(&testbed::at("ctl", "/tmp/calls")?, program, &mut traced)?;
    Ok(traced)
}

/// A script that attaches strace to slurmd. It returns as soon as strace is attached.
const START: &str = "rm -rf /tmp/calls; mkdir /tmp/calls; slurmd=$(pidof slurmd)
    setsid timeout 60 strace -ff -s 200 -o /tmp/calls/t -p $slurmd </dev/null >/dev/null 2>&1 &
    echo $! >/run/strace.pid
    for n in $(seq 200); do
        awk '/TracerPid/ {exit $2 == 0}' /proc/$slurmd/status && exit
        sleep 0.02
    done; exit 1";

/// A script that stops the trace. It waits first, so that the exit of slurmstepd is included.
const STOP: &str = "sleep 0.3; kill $(cat /run/strace.pid); sleep 0.2";

/// Reads the files that strace wrote, one for each thread: `t.PID`.
fn read(directory: &Path, program: &str, traced: &mut Traced) -> Result<()> {
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        let number = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        threads.insert(number, String::from_utf8_lossy(&fs::read(path)?).into_owned());
    }
    read_threads(&threads, program, traced);
    Ok(())
}

fn read_threads(threads: &BTreeMap<String, String>, program: &str, traced: &mut Traced) {
    for text in threads.values() {
        match executed(text) {
            Some(first) if first.contains("slurmstepd\"") => {
                traced.slurmstepd = calls(text).count() as f64;
                for task in children(text).filter_map(|child| threads.get(child)) {
                    read_task(task, program, traced);
                }
            }
            Some(first) if first.contains("srun\"") => {
                traced.srun = calls(text).count() as f64;
            }
            _ => {}
        }
    }
}

/// Adds the calls of a child of slurmstepd up to the `execve` of the task's program.
fn read_task(text: &str, program: &str, traced: &mut Traced) {
    if executed(text).is_some_and(|first| first.contains(&format!("\"{program}\""))) {
        for name in calls(text).take_while(|name| *name != "execve") {
            *traced.in_task.entry(name.to_owned()).or_default() += 1;
        }
    }
}

fn executed(text: &str) -> Option<&str> {
    text.lines().find(|line| line.starts_with("execve("))
}

/// The names of the calls in a trace.
fn calls(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.split_once('(')).map(|(name, _)| name)
}

/// The processes that the traced thread has started.
fn children(text: &str) -> impl Iterator<Item = &str> {
    let forks = ["clone(", "clone3(", "fork(", "vfork("];
    let started = move |line: &&str| forks.iter().any(|fork| line.starts_with(fork));
    text.lines().filter(started).filter_map(|line| line.rsplit_once("= ")).map(|(_, pid)| pid)
}

#[cfg(test)]
mod tests {
    use super::{Traced, read_threads};
    use std::collections::BTreeMap;

    const STEPD: &str = "execve(\"/usr/sbin/slurmstepd\", []) = 0\nclone(SIGCHLD) = 7\n";
    const TASK: &str = "close(3) = 0\nopenat(AT_FDCWD, \"/shared/sif/o\") = 3\nclose(3) = 0\n\
                        execve(\"/usr/bin/true\", []) = 0\nbrk(0) = 1\n";

    fn traced(threads: &[(&str, &str)]) -> Traced {
        let threads = threads.iter().map(|(pid, text)| ((*pid).to_owned(), (*text).to_owned()));
        let mut traced = Traced::default();
        read_threads(&BTreeMap::from_iter(threads), "/usr/bin/true", &mut traced);
        traced
    }

    #[test]
    fn threads_are_told_apart() {
        let srun = "execve(\"/usr/bin/srun\", []) = 0\n--- SIGCHLD ---\n";
        let found = traced(&[("5", STEPD), ("7", TASK), ("8", TASK), ("9", srun)]);
        assert_eq!((found.slurmstepd, found.srun), (2.0, 1.0));
        let calls: Vec<_> = found.in_task.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert_eq!(calls, [("close", 2), ("openat", 1)]);
    }
}
