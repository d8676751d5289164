//! Batch jobs.

use super::cluster::length;
use super::{Output, Site, on_n1};
use std::fs;
use std::time::{Duration, Instant};

impl Site {
    /// Submits a script as alice and waits for the end of the job. The returned `stdout` holds what
    /// the job wrote to both stdout and stderr.
    pub(crate) fn sbatch(&self, options: &[&str], script: &str) -> Output {
        let script = match script.starts_with("#!") {
            true => script.to_owned(),
            false => format!("#!/bin/bash\n{script}\n"),
        };
        fs::write(self.at("ctl", "/home/alice/job.sh"), script).unwrap();
        self.submit(options, &["/home/alice/job.sh"])
    }

    /// Like [`Self::sbatch`], but runs `sbatch OPTIONS WORDS`.
    pub(crate) fn submit(&self, options: &[&str], words: &[&str]) -> Output {
        const FILE: &str = "/home/alice/job.out";
        let output = format!("--output={FILE}");
        let _ = fs::remove_file(self.at("ctl", FILE));
        let words = [&["sbatch", "--parsable", &output], on_n1(options), options, words].concat();
        let mut output = self.alice(&words);
        if output.status == 0 {
            output.status = self.wait(output.stdout.trim_end());
            output.stdout = fs::read_to_string(self.at("ctl", FILE)).unwrap_or_default();
        }
        output
    }

    /// Waits until a job and all its parts have ended, and returns the highest exit status. `sbatch
    /// --wait` polls only every two seconds. The controller logs each change of a job, so this
    /// function queries the controller when the log has grown, and otherwise twice a second.
    fn wait(&self, job: &str) -> i32 {
        let limit = Instant::now() + Duration::from_secs(300);
        let log = self.at("ctl", "/var/log/slurm/slurmctld.log");
        loop {
            let seen = length(&log);
            let shown = self.exec(&[], &["scontrol", "--oneliner", "show", "job", job], "").stdout;
            let all = |key: &str| -> Vec<String> {
                let words = shown.split_whitespace().filter_map(|word| word.strip_prefix(key));
                words.map(str::to_owned).collect()
            };
            let states = all("JobState=");
            let going = ["PENDING", "RUNNING", "COMPLETING", "CONFIGURING"];
            if !states.is_empty() && !states.iter().any(|state| going.contains(&state.as_str())) {
                let status = |code: String| code.split(':').next().unwrap().parse().unwrap();
                return all("ExitCode=").into_iter().map(status).max().unwrap_or_default();
            }
            assert!(Instant::now() < limit, "the job does not end: {shown}");
            let again = Instant::now() + Duration::from_millis(500);
            while length(&log) == seen && Instant::now() < again {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
