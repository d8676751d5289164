//! The processor time of slurmd, and of the slurmstepds that it starts.

use crate::testbed;
use anyhow::{Context, Result, bail, ensure};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The slurmd of n1. A slurmstepd is not a child of slurmd for long, so that slurmd cannot know its
/// processor time: it is in a control group of its own with its slurmstepds and their tasks.
pub(super) struct Daemon {
    process: Pid,
    group: Group,
}

/// Processor seconds since some start.
#[derive(Clone, Copy)]
pub(super) struct Spent {
    pub(super) slurmd: f64,
    pub(super) all: f64,
}

impl Daemon {
    /// Finds slurmd, and puts it into the new group.
    ///
    /// # Errors
    /// This machine has no control groups, or they cannot be changed.
    pub(super) fn new() -> Result<Self> {
        let process = slurmd()?;
        Ok(Self { process, group: Group::with(process)? })
    }

    /// The processor time so far. It first waits until all slurmstepds have ended.
    ///
    /// # Errors
    /// One does not end within ten seconds.
    pub(super) fn spent(&self) -> Result<Spent> {
        let start = Instant::now();
        while self.group.processes()? > 1 {
            ensure!(start.elapsed() < Duration::from_secs(10), "a slurmstepd does not end");
            std::thread::sleep(Duration::from_micros(300));
        }
        let clock = ClockId::pid_cpu_clock_id(self.process)?;
        let slurmd = Duration::from(clock_gettime(clock)?).as_secs_f64();
        Ok(Spent { slurmd, all: self.group.seconds()? })
    }
}

/// The process ID of the slurmd of n1, as seen here.
fn slurmd() -> Result<Pid> {
    let namespace = testbed::on("n1", "readlink /proc/self/ns/pid")?;
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let is = |name: &str, wanted: &str| {
            fs::read_to_string(path.join(name)).is_ok_and(|text| text.trim() == wanted)
        };
        let same = fs::read_link(path.join("ns/pid"));
        if is("comm", "slurmd") && same.is_ok_and(|same| same == Path::new(namespace.trim())) {
            let number = path.file_name().unwrap_or_default().to_string_lossy().parse()?;
            return Ok(Pid::from_raw(number));
        }
    }
    bail!("slurmd does not run on n1")
}

/// A control group, and the one that its processes came from.
struct Group {
    directory: PathBuf,
    parent: PathBuf,
    process: Pid,
}

impl Group {
    fn with(process: Pid) -> Result<Self> {
        let groups = fs::read_to_string(format!("/proc/{process}/cgroup"))?;
        // Version 1 has a hierarchy for each controller, version 2 only one.
        let of = |controller: &str| {
            let fits = |line: &&str| {
                line.split(':')
                    .nth(1)
                    .is_some_and(|all| all.split(',').any(|one| one == controller))
            };
            groups.lines().find(fits)?.rsplit(':').next().map(str::to_owned)
        };
        let (base, own) = match of("cpuacct") {
            Some(own) => ("/sys/fs/cgroup/cpuacct", own),
            None => ("/sys/fs/cgroup", of("").context("no control groups")?),
        };
        let parent = Path::new(base).join(own.trim_start_matches('/'));
        let directory = parent.join(format!("sifcache-bench-{}", std::process::id()));
        fs::create_dir(&directory).with_context(|| directory.display().to_string())?;
        let group = Self { directory, parent, process };
        fs::write(group.directory.join("cgroup.procs"), process.to_string())
            .context("a control group")?;
        Ok(group)
    }

    fn processes(&self) -> Result<usize> {
        Ok(fs::read_to_string(self.directory.join("cgroup.procs"))?.lines().count())
    }

    fn seconds(&self) -> Result<f64> {
        if let Ok(text) = fs::read_to_string(self.directory.join("cpuacct.usage")) {
            return Ok(text.trim().parse::<f64>()? / 1e9);
        }
        let text = fs::read_to_string(self.directory.join("cpu.stat"))?;
        let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
        Ok(usage.context("no usage_usec")?.parse::<f64>()? / 1e6)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group can be removed only if it is empty. If this fails, an empty group is left.
        let _ = fs::write(self.parent.join("cgroup.procs"), self.process.to_string());
        let _ = fs::remove_dir(&self.directory);
    }
}
