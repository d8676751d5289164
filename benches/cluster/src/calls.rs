//! How many system calls a step makes with the plugin and without, as strace sees them.

use crate::experiments::launches::SMALL;
use crate::site::{LINE, NONE, image, sif};
use crate::statistics::summary;
use crate::testbed;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What one kind of task adds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Added {
    /// What the task is.
    pub(crate) task: String,
    /// In the task's process between fork and `execve`: how many more of each call.
    pub(crate) in_task: BTreeMap<String, i64>,
    /// In slurmstepd's main thread, without and with: medians.
    pub(crate) slurmstepd: (f64, f64),
    /// In srun's main thread.
    pub(crate) srun: (f64, f64),
    /// Whether slurmd, slurmstepd or srun named a path under the image root.
    pub(crate) root_named: bool,
}

/// What was traced of one step.
#[derive(Default)]
struct Traced {
    in_task: BTreeMap<String, i64>,
    slurmstepd: f64,
    srun: f64,
    root_named: bool,
}

/// Traces each kind of task this often, with and without.
pub(crate) fn count(times: usize) -> Result<Vec<Added>> {
    let docker = |name: &str| format!("/usr/bin/apptainer exec docker://{name} true");
    // The same in all columns: a link to the SIF is not what is counted.
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
        root_named: with.iter().any(|traced| traced.root_named),
    })
}

/// One step under strace, at both ends.
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

/// Returns when slurmd is traced.
const START: &str = "rm -rf /tmp/calls; mkdir /tmp/calls; slurmd=$(pidof slurmd)
    setsid timeout 60 strace -ff -s 200 -o /tmp/calls/t -p $slurmd </dev/null >/dev/null 2>&1 &
    echo $! >/run/strace.pid
    for n in $(seq 200); do
        awk '/TracerPid/ {exit $2 == 0}' /proc/$slurmd/status && exit
        sleep 0.02
    done; exit 1";

/// What slurmstepd does at its end belongs to it.
const STOP: &str = "sleep 0.3; kill $(cat /run/strace.pid); sleep 0.2";

/// Reads the files that strace has written, one for each thread.
fn read(directory: &Path, program: &str, traced: &mut Traced) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let text = fs::read(entry?.path())?;
        let text = String::from_utf8_lossy(&text);
        read_thread(&text, program, traced);
    }
    Ok(())
}

fn read_thread(text: &str, program: &str, traced: &mut Traced) {
    let calls: Vec<&str> = text.lines().filter_map(|line| line.split_once('(')).map(|c| c.0).collect();
    let first = text.lines().find(|line| line.starts_with("execve("));
    let starts = |what: &str| first.is_some_and(|line| line.contains(what));
    let named = text.lines().any(|line| line.contains("\"/shared/sif") && !line.starts_with("execve("));
    if starts("slurmstepd\"") {
        traced.slurmstepd = calls.len() as f64;
        traced.root_named |= named;
    } else if starts("srun\"") {
        traced.srun = calls.len() as f64;
        traced.root_named |= named;
    } else if starts(&format!("\"{program}\"")) && traced.in_task.is_empty() {
        for name in calls.iter().take_while(|name| **name != "execve") {
            *traced.in_task.entry((*name).to_owned()).or_default() += 1;
        }
    } else if text.contains("slurmd") && first.is_none() {
        traced.root_named |= named;
    }
}

#[cfg(test)]
mod tests {
    use super::{Traced, read_thread};

    #[test]
    fn threads_are_told_apart() {
        let mut traced = Traced::default();
        let stepd = "execve(\"/usr/sbin/slurmstepd\", []) = 0\nread(3, \"\") = 0\n";
        let task = "close(3) = 0\nopenat(AT_FDCWD, \"/shared/sif/o\") = 3\nclose(3) = 0\n\
                    execve(\"/usr/bin/true\", []) = 0\nbrk(0) = 1\n";
        for text in [stepd, task, "execve(\"/usr/bin/srun\", []) = 0\n--- SIGCHLD ---\n"] {
            read_thread(text, "/usr/bin/true", &mut traced);
        }
        assert_eq!((traced.slurmstepd, traced.srun, traced.root_named), (2.0, 1.0, false));
        let calls: Vec<_> = traced.in_task.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert_eq!(calls, [("close", 2), ("openat", 1)]);
        let looks = format!("{stepd}statx(AT_FDCWD, \"/shared/sif\") = 0\n");
        read_thread(&looks, "/usr/bin/true", &mut traced);
        assert!(traced.root_named);
    }
}
