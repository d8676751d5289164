//! A node whose slurmd makes namespaces for jobs.

use crate::kit::{NODES, Output, SLURMD, Site, slurm_release};
use std::fs;
use std::time::{Duration, Instant};

/// The configuration files of the namespace plugins.
pub(super) const TMPFS: &str = "job_container.conf";
pub(super) const LINUX: &str = "namespace.yaml";

/// The line of slurm.conf that selects the plugin for private directories.
pub(super) fn tmpfs() -> &'static str {
    match slurm_release() >= (25, 11) {
        true => "NamespaceType=namespace/tmpfs",
        false => "JobContainerType=job_container/tmpfs",
    }
}

/// The command that starts slurmd in these tests. On Linux 6.18, a process can keep a mount
/// namespace only if the process's own mount namespace has a lower number, and each processor
/// numbers mount namespaces separately. Therefore all of them are created on one processor.
const PINNED: &str =
    "first=$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//'); taskset -c $first unshare -m slurmd";

/// n1 and the controller, with a different slurm.conf until this is dropped.
pub(super) struct Node<'a> {
    site: &'a Site,
    slurm_conf: String,
}

impl<'a> Node<'a> {
    /// Restarts the controller with `PrologFlags=Contain`, which makes Slurm start the process for
    /// a job's namespaces.
    pub(super) fn new(site: &'a Site) -> Self {
        let slurm_conf = fs::read_to_string(site.at("ctl", "/etc/slurm/slurm.conf")).unwrap();
        let node = Self { site, slurm_conf };
        node.write("");
        node.end("n1", SLURMD);
        node.start_controller();
        node
    }

    /// Configures the namespaces of future jobs: `lines` for slurm.conf, and `text` for the file
    /// `file` beside it.
    #[track_caller]
    pub(super) fn configure(&self, lines: &str, file: &str, text: &str) {
        self.remove_settings();
        self.write(lines);
        fs::write(self.site.at("ctl", "/etc/slurm").join(file), text).unwrap();
        self.end("n1", SLURMD);
        let output = self.start("n1", PINNED, "scontrol show slurmd");
        assert_eq!(output.status, 0, "{output:#?}");
        self.ready();
    }

    fn write(&self, lines: &str) {
        let conf = format!("{}PrologFlags=Contain\n{lines}\n", self.slurm_conf);
        fs::write(self.site.at("ctl", "/etc/slurm/slurm.conf"), conf).unwrap();
    }

    fn remove_settings(&self) {
        for file in [TMPFS, LINUX] {
            let _ = fs::remove_file(self.site.at("ctl", "/etc/slurm").join(file));
        }
    }

    fn end(&self, host: &str, name: &str) {
        let script = format!("pkill -x '{name}'; while pgrep -x '{name}'; do sleep 0.02; done");
        self.site.exec(&["--on", host], &["bash", "-c", &script], "");
    }

    /// Starts a daemon, and waits until it answers.
    fn start(&self, host: &str, daemon: &str, answers: &str) -> Output {
        let script = format!(
            "{daemon} || exit
             for n in $(seq 1000); do {answers} >/dev/null 2>&1 && exit; sleep 0.02; done; exit 1"
        );
        self.site.exec(&["--on", host], &["bash", "-c", &script], "")
    }

    /// Called while n1 is down. Otherwise the controller could query a slurmd that is about to end,
    /// and count the node as lost for a while.
    fn start_controller(&self) -> Output {
        self.end("ctl", "slurmctld(-wlm)?");
        self.start("ctl", "slurmctld", "scontrol ping | grep -q UP")
    }

    /// Waits until every node has registered with the controller.
    #[track_caller]
    fn ready(&self) {
        let count = ["sinfo", "-h", "--responding", "-t", "idle", "-o", "%D"];
        let limit = Instant::now() + Duration::from_secs(120);
        loop {
            let output = self.site.exec(&[], &count, "");
            if output.stdout.trim_end() == NODES.len().to_string() {
                return;
            }
            assert!(Instant::now() < limit, "not every node is idle: {output:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        self.remove_settings();
        let written = fs::write(self.site.at("ctl", "/etc/slurm/slurm.conf"), &self.slurm_conf);
        self.end("n1", SLURMD);
        let clean = "umount -R /var/ns; rm -rf /var/ns";
        self.site.exec(&["--on", "n1"], &["bash", "-c", clean], "");
        let controller = self.start_controller();
        let slurmd = self.start("n1", "slurmd", "scontrol show slurmd");
        let resume = ["scontrol", "update", "nodename=n1", "state=resume"];
        self.site.exec(&[], &resume, "");
        // A second panic during unwinding would abort the process, so no assertions here.
        if !std::thread::panicking() {
            written.unwrap();
            assert_eq!((controller.status, slurmd.status), (0, 0), "{controller:#?} {slurmd:#?}");
            self.ready();
        }
    }
}
