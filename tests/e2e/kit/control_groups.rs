//! `ProctrackType=proctrack/cgroup`, which most sites have, in the place of the testbed's
//! `linuxproc`: whatever a process of a step becomes, it stays in the step's control group.
//!
//! Slurm's control groups are below one of the cluster's own, in the machine's freezer of
//! version 1, or in its hierarchy of version 2. Where a machine has controllers of both,
//! slurmd does not take version 2, so it gets a stand-in that hides the others: `unified.c`.
//! Nothing of this needs a controller of version 2.

use super::{SLURMD, Site, cluster, push};
use std::path::Path;
use std::process::Command;

/// Where slurmd and slurmstepd of the node have their slurm.conf meanwhile.
const CONF: &str = "/run/slurm-control-groups";
/// The machine's hierarchy, with the control groups of others.
const ALL: &str = "/run/control-groups";
/// How the names of ours there begin.
const OWN: &str = "sifcache-testbed";
/// The stand-in.
const UNIFIED: &str = "/usr/local/lib/unified.so";

/// Of control groups.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    V1,
    V2,
}

impl Version {
    /// What `mount` is told.
    fn file_system(self) -> &'static str {
        match self {
            Self::V1 => "-t cgroup -o freezer none",
            Self::V2 => "-t cgroup2 none",
        }
    }

    /// Makes the cluster's own group what Slurm has for all there is, and starts slurmd.
    fn slurmd(self, own: &str) -> String {
        match self {
            Self::V1 => format!(
                "mount -t tmpfs -o mode=755 none /sys/fs/cgroup && mkdir /sys/fs/cgroup/freezer &&
                 mount --bind {own} /sys/fs/cgroup/freezer && slurmd -f {CONF}/slurm.conf"
            ),
            // `system.slice` is systemd's, and Slurm 22.05 does not make it.
            Self::V2 => format!(
                "mkdir {own}/system.slice && echo $BASHPID >{own}/cgroup.procs &&
                 exec unshare --cgroup bash -c '
                 mount -t cgroup2 none /sys/fs/cgroup &&
                 LD_PRELOAD={UNIFIED} slurmd -f {CONF}/slurm.conf'"
            ),
        }
    }

    /// Undoes that, when slurmd has ended.
    fn unmount(self) -> &'static str {
        match self {
            Self::V1 => "umount /sys/fs/cgroup/freezer /sys/fs/cgroup",
            Self::V2 => "umount /sys/fs/cgroup",
        }
    }

    /// What is in cgroup.conf.
    fn conf(self) -> &'static str {
        match self {
            Self::V1 => "CgroupPlugin=cgroup/v1",
            Self::V2 => "CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes",
        }
    }

    /// Where the control groups of steps are, for find(1).
    fn steps(self) -> &'static str {
        match self {
            Self::V1 => "/sys/fs/cgroup/freezer -name cgroup.procs",
            // slurmd and each slurmstepd have some too.
            Self::V2 => "/sys/fs/cgroup -path '*/user/*' -name cgroup.procs",
        }
    }
}

/// A node whose Slurm has control groups until this is dropped.
pub(crate) struct ControlGroups<'a> {
    site: &'a Site,
    node: &'a str,
    version: Version,
}

impl<'a> ControlGroups<'a> {
    /// None where the kernel has no such hierarchy. `conf` is added to slurm.conf.
    pub(crate) fn on(site: &'a Site, node: &'a str, version: Version, conf: &str) -> Option<Self> {
        let mount = format!("mkdir -p {ALL} && mount {} {ALL}", version.file_system());
        if site.exec(&["--on", node], &["bash", "-c", &mount], "").status != 0 {
            return None;
        }
        push_stand_in();
        let groups = Self { site, node, version };
        let own = groups.own();
        // What is left of clusters that were killed.
        let left = format!("{ALL}/{OWN}-* -depth -type d -mmin +60");
        let prepare = format!(
            "find {left} -exec rmdir {{}} + 2>/dev/null; set -e; mkdir {own}
             rm -rf {CONF}; cp -r /etc/slurm {CONF}; cd {CONF}
             sed -i s,^ProctrackType=.*,ProctrackType=proctrack/cgroup, slurm.conf
             printf '%s\\n' PlugStackConfig=/etc/slurm/plugstack.conf '{conf}' >>slurm.conf
             printf '%s\\n' '{}' >cgroup.conf",
            version.conf()
        );
        let output = site.exec(&["--on", node], &["bash", "-c", &prepare], "");
        assert_eq!(output.status, 0, "{output:#?}");
        groups.restart(&version.slurmd(&own), "");
        Some(groups)
    }

    /// The cluster's own part of the machine's hierarchy.
    fn own(&self) -> String {
        format!("{ALL}/{OWN}-{}-{}", cluster::name(), self.node)
    }

    /// Ends slurmd, does what is to be done without one, and starts it anew.
    fn restart(&self, start: &str, meanwhile: &str) {
        let restart = format!(
            "pkill -x '{SLURMD}'; while pgrep -x '{SLURMD}'; do sleep 0.02; done; {meanwhile}
             ({start}) || exit; \
             for n in $(seq 500); do scontrol show slurmd >/dev/null 2>&1 && exit; sleep 0.02; \
             done; exit 1"
        );
        let output = self.site.exec(&["--on", self.node], &["bash", "-c", &restart], "");
        assert_eq!(output.status, 0, "{output:#?}");
        self.site.idle(self.node);
    }

    /// The names of the processes that are in the control group of a step.
    pub(crate) fn processes(&self) -> Vec<String> {
        let names = format!(
            "find {} -exec cat {{}} + | \
             while read -r pid; do cat /proc/$pid/comm 2>/dev/null; done",
            self.version.steps()
        );
        let output = self.site.exec(&["--on", self.node], &["bash", "-c", &names], "");
        output.stdout.lines().map(str::to_owned).collect()
    }
}

/// Puts the stand-in on every host.
fn push_stand_in() {
    let directory = tempfile::tempdir().unwrap();
    let library = directory.path().join("unified.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/kit/unified.c");
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    assert!(cc.status().unwrap().success());
    push(&library, UNIFIED, "755");
}

impl Drop for ControlGroups<'_> {
    fn drop(&mut self) {
        let own = self.own();
        let end = format!(
            "{}; find {own} -depth -type d -exec rmdir {{}} +; umount {ALL}",
            self.version.unmount()
        );
        // A test that fails already is not to end all of them.
        if std::thread::panicking() {
            let resume = format!("scontrol update nodename={} state=resume", self.node);
            let restart = format!("pkill -x '{SLURMD}'; sleep 1; {end}; slurmd; {resume}");
            self.site.exec(&["--on", self.node], &["bash", "-c", &restart], "");
            return;
        }
        self.restart("slurmd", &format!("set -e; {end}; set +e"));
    }
}
