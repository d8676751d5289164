//! A separate cluster with slurmdbd, which exists until it is dropped.

use crate::kit::{Output, install, plugin_directory, slurm_release, testbed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub(super) struct Cluster(String);

/// The release of Slurm in the words of the page.
pub(super) fn release() -> String {
    let (major, minor) = slurm_release();
    format!("{major}.{minor:02}")
}

impl Cluster {
    pub(super) fn up() -> Self {
        let cluster = Self(format!("accounting-{}", std::process::id()));
        let output = cluster.testbed("up", &["--accounting", "--nodes", "1"], &[]);
        assert_eq!(output.status, 0, "{output:#?}");
        install(&["--name", &cluster.0]);
        cluster.install_writer();
        cluster
    }

    pub(super) fn testbed(&self, verb: &str, flags: &[&str], words: &[&str]) -> Output {
        testbed(verb, &[&["--name", &self.0], flags].concat(), words, "")
    }

    pub(super) fn root(&self, host: &str) -> PathBuf {
        PathBuf::from(self.testbed("root", &[], &[host]).stdout.trim_end())
    }

    /// Runs a command on the controller.
    pub(super) fn exec(&self, user: &str, words: &[&str]) -> Output {
        self.testbed("exec", &["--user", user], words)
    }

    pub(super) fn plugstack(&self, text: &str) {
        fs::write(self.root("ctl").join("etc/slurm/plugstack.conf"), text).unwrap();
    }

    fn install_writer(&self) {
        let (major, minor) = slurm_release();
        let version = format!("-DVERSION={}", u32::from(major) << 16 | u32::from(minor) << 8);
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("writer.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/accounting/writer.c");
        let mut cc = Command::new("cc");
        cc.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", &version, "-o"]);
        assert!(cc.arg(&library).arg(source).status().unwrap().success());
        let library = library.to_str().unwrap();
        let installed = format!("{}/writer.so", plugin_directory());
        assert_eq!(self.testbed("push", &[], &[library, &installed]).status, 0);
    }

    /// Runs `srun WORDS` as a job of its own, and returns the job's ID when its end is in the
    /// database.
    pub(super) fn job(&self, user: &str, words: &[&str]) -> String {
        // The ID is in the name of the file that srun writes, whatever the step itself prints.
        let script = "cd $(mktemp -d) && srun --output=job-%j \"$@\"; ls job-*";
        let output = self.exec(user, &[&["bash", "-c", script, "bash"], words].concat());
        let job = output.stdout.trim_end().strip_prefix("job-");
        let job = job.unwrap_or_else(|| panic!("no job: {output:#?}")).to_owned();
        self.ended(&job);
        job
    }

    /// Waits until the database has the end of a job and of all its steps. slurmctld sends both
    /// shortly after it has told srun.
    pub(super) fn ended(&self, job: &str) {
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            let words = ["sacct", "-nP", "-j", job, "-o", "JobIDRaw,End"];
            let output = self.exec("root", &words).stdout;
            let is_over = |line: &str| line.split('|').nth(1).is_some_and(|end| end != "Unknown");
            if output.lines().count() > 1 && output.lines().all(is_over) {
                return;
            }
            assert!(Instant::now() < limit, "job {job} does not end: {output}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A field of a job or a step (`12`, `12.0`); `None` if sacct has no such field.
    pub(super) fn sacct(&self, id: &str, field: &str) -> Option<String> {
        let format = format!("JobIDRaw,{field}");
        let output = self.exec("root", &["sacct", "-nP", "-j", id, "-o", &format]);
        if output.stderr.contains("nvalid field") {
            return None;
        }
        let row = |line: &str| line.strip_prefix(id)?.strip_prefix('|').map(str::to_owned);
        let found = output.stdout.lines().find_map(row);
        Some(found.unwrap_or_else(|| panic!("sacct has no {id}: {output:#?}")))
    }

    /// The number of messages with which slurmctld was asked to change a job or a step.
    pub(super) fn updates(&self) -> u64 {
        let text = self.exec("root", &["sdiag"]).stdout;
        let count = |line: &str| {
            let line = line.trim_start();
            line.starts_with("REQUEST_UPDATE_JOB").then_some(())?;
            line.split("count:").nth(1)?.split_whitespace().next()?.parse::<u64>().ok()
        };
        text.lines().filter_map(count).sum()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.testbed("down", &[], &[]);
    }
}
