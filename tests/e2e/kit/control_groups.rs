//! `ProctrackType=proctrack/cgroup`, which most sites have, in the place of the testbed's
//! `linuxproc`: whatever a process of a step becomes, it stays in the step's control group.
//!
//! Slurm's control groups are below one of the cluster's own, in the freezer of cgroup v1. Where a
//! machine has other controllers of v1, slurmd is not content with version 2.

use super::Site;

/// Where slurmd and slurmstepd of the node have their slurm.conf meanwhile.
const CONF: &str = "/run/slurm-control-groups";
/// The machine's freezer, with the control groups of others.
const FREEZER: &str = "/run/freezer";
/// How the names of ours there begin.
const OWN: &str = "sifcache-testbed";

/// A node whose Slurm has control groups until this is dropped.
pub(crate) struct ControlGroups<'a> {
    site: &'a Site,
    node: &'a str,
}

impl<'a> ControlGroups<'a> {
    /// None where the kernel has no freezer of version 1. `conf` is added to slurm.conf.
    pub(crate) fn on(site: &'a Site, node: &'a str, conf: &str) -> Option<Self> {
        let mount = format!("mkdir -p {FREEZER} && mount -t cgroup -o freezer none {FREEZER}");
        if site.exec(&["--on", node], &["bash", "-c", &mount], "").status != 0 {
            return None;
        }
        let groups = Self { site, node };
        let own = groups.own();
        // What is left of clusters that were killed.
        let left = format!("{FREEZER}/{OWN}-* -depth -type d -mmin +60");
        let start = format!(
            "find {left} -exec rmdir {{}} + 2>/dev/null; set -e; mkdir {own}
             mount -t tmpfs -o mode=755 none /sys/fs/cgroup && mkdir /sys/fs/cgroup/freezer
             mount --bind {own} /sys/fs/cgroup/freezer
             rm -rf {CONF}; cp -r /etc/slurm {CONF}; cd {CONF}
             sed -i s,^ProctrackType=.*,ProctrackType=proctrack/cgroup, slurm.conf
             printf '%s\\n' PlugStackConfig=/etc/slurm/plugstack.conf '{conf}' >>slurm.conf
             echo CgroupPlugin=cgroup/v1 >cgroup.conf"
        );
        let output = site.exec(&["--on", node], &["bash", "-c", &start], "");
        assert_eq!(output.status, 0, "{output:#?}");
        groups.slurmd(&format!("-f {CONF}/slurm.conf"));
        Some(groups)
    }

    /// The node's own part of the machine's freezer.
    fn own(&self) -> String {
        let cluster = std::env::var("SIFCACHE_TESTBED_NAME").unwrap();
        format!("{FREEZER}/{OWN}-{cluster}-{}", self.node)
    }

    /// Starts slurmd anew, with these options.
    fn slurmd(&self, options: &str) {
        let restart = format!(
            "pkill -x slurmd; while pgrep -x slurmd; do sleep 0.02; done; slurmd {options}; \
             for n in $(seq 500); do scontrol show slurmd >/dev/null 2>&1 && exit; sleep 0.02; \
             done; exit 1"
        );
        let output = self.site.exec(&["--on", self.node], &["bash", "-c", &restart], "");
        assert_eq!(output.status, 0, "{output:#?}");
        self.site.idle(self.node);
    }

    /// The names of the processes that are in a control group of Slurm's.
    pub(crate) fn processes(&self) -> Vec<String> {
        let names = "find /sys/fs/cgroup/freezer -name cgroup.procs -exec cat {} + | \
            while read -r pid; do cat /proc/$pid/comm 2>/dev/null; done";
        let output = self.site.exec(&["--on", self.node], &["bash", "-c", names], "");
        output.stdout.lines().map(str::to_owned).collect()
    }
}

impl Drop for ControlGroups<'_> {
    fn drop(&mut self) {
        let own = self.own();
        let end = format!(
            "umount /sys/fs/cgroup/freezer /sys/fs/cgroup; \
             find {own} -depth -type d -exec rmdir {{}} +; umount {FREEZER}"
        );
        // A test that fails already is not to end all of them.
        if std::thread::panicking() {
            let resume = format!("scontrol update nodename={} state=resume", self.node);
            let restart = format!("pkill -x slurmd; sleep 1; slurmd; {end}; {resume}");
            self.site.exec(&["--on", self.node], &["bash", "-c", &restart], "");
            return;
        }
        self.slurmd("");
        let output = self.site.exec(&["--on", self.node], &["bash", "-c", &end], "");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:#?}");
    }
}
