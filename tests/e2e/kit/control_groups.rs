//! Configures `ProctrackType=proctrack/cgroup`, which most sites use, instead of the testbed's
//! `linuxproc`. A process of a step cannot leave the step's control group.
//!
//! Slurm's control groups are created below a control group of the cluster, either in the machine's
//! version 1 freezer or in its version 2 hierarchy. If a machine has controllers of both versions,
//! slurmd does not accept version 2. slurmd is therefore started with a preloaded library,
//! `unified.c`, that hides the version 1 controllers. None of this needs a version 2 controller.

use super::{SLURMD, Site, cluster, push};
use std::path::Path;
use std::process::Command;

/// The node's temporary copy of the Slurm configuration, used by slurmd and slurmstepd.
const CONF: &str = "/run/slurm-control-groups";
/// Mount point of the machine's hierarchy, which also contains control groups that do not belong to
/// the testbed.
const ALL: &str = "/run/control-groups";
/// Name prefix of the testbed's control groups in that hierarchy.
const OWN: &str = "sifcache-testbed";
/// The preloaded library, built from `unified.c`.
const UNIFIED: &str = "/usr/local/lib/unified.so";

/// Version of the control group interface.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    V1,
    V2,
}

impl Version {
    /// The arguments of `mount` for this hierarchy.
    fn file_system(self) -> &'static str {
        match self {
            Self::V1 => "-t cgroup -o freezer none",
            Self::V2 => "-t cgroup2 none",
        }
    }

    /// A shell command that makes the cluster's control group appear to Slurm as the whole
    /// hierarchy, and starts slurmd.
    fn slurmd(self, own: &str) -> String {
        match self {
            Self::V1 => format!(
                "mount -t tmpfs -o mode=755 none /sys/fs/cgroup && mkdir /sys/fs/cgroup/freezer &&
                 mount --bind {own} /sys/fs/cgroup/freezer && slurmd -f {CONF}/slurm.conf"
            ),
            // `system.slice` is normally created by systemd; Slurm 22.05 does not create it.
            Self::V2 => format!(
                "mkdir {own}/system.slice && echo $BASHPID >{own}/cgroup.procs &&
                 exec unshare --cgroup bash -c '
                 mount -t cgroup2 none /sys/fs/cgroup &&
                 LD_PRELOAD={UNIFIED} slurmd -f {CONF}/slurm.conf'"
            ),
        }
    }

    /// A shell command that undoes [`Self::slurmd`] after slurmd has ended.
    fn unmount(self) -> &'static str {
        match self {
            Self::V1 => "umount /sys/fs/cgroup/freezer /sys/fs/cgroup",
            Self::V2 => "umount /sys/fs/cgroup",
        }
    }

    /// The content of cgroup.conf.
    fn conf(self) -> &'static str {
        match self {
            Self::V1 => "CgroupPlugin=cgroup/v1",
            Self::V2 => "CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes",
        }
    }

    /// The find(1) arguments that match the process lists of steps.
    fn steps(self) -> &'static str {
        match self {
            Self::V1 => "/sys/fs/cgroup/freezer -name cgroup.procs",
            // slurmd and each slurmstepd have control groups too.
            Self::V2 => "/sys/fs/cgroup -path '*/user/*' -name cgroup.procs",
        }
    }
}

/// A node whose Slurm uses control groups until this is dropped.
pub(crate) struct ControlGroups<'a> {
    site: &'a Site,
    node: &'a str,
    version: Version,
}

impl<'a> ControlGroups<'a> {
    /// Returns `None` if the kernel has no such hierarchy. `conf` is appended to slurm.conf.
    pub(crate) fn on(site: &'a Site, node: &'a str, version: Version, conf: &str) -> Option<Self> {
        let mount = format!("mkdir -p {ALL} && mount {} {ALL}", version.file_system());
        if site.exec(&["--on", node], &["bash", "-c", &mount], "").status != 0 {
            return None;
        }
        push_library();
        let groups = Self { site, node, version };
        let own = groups.own();
        // Leftovers of clusters that were killed.
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

    /// The cluster's control group in the machine's hierarchy.
    fn own(&self) -> String {
        format!("{ALL}/{OWN}-{}-{}", cluster::name(), self.node)
    }

    /// Stops slurmd, runs `meanwhile`, and starts slurmd again with `start`.
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

    /// The names of the processes in the control groups of steps.
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

/// Builds `unified.c` and copies the library to every host.
fn push_library() {
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
        // A second panic during unwinding would abort the process, so no assertions here.
        if std::thread::panicking() {
            let resume = format!("scontrol update nodename={} state=resume", self.node);
            let restart = format!("pkill -x '{SLURMD}'; sleep 1; {end}; slurmd; {resume}");
            self.site.exec(&["--on", self.node], &["bash", "-c", &restart], "");
            return;
        }
        self.restart("slurmd", &format!("set -e; {end}; set +e"));
    }
}
