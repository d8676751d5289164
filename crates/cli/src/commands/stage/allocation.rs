//! The job: an ordinary allocation that ends when this command ends.
//!
//! salloc runs a `cat` that reads from a pipe of this process. When this process ends, for whatever
//! reason, `cat` reads end-of-file and exits, and salloc releases the allocation.

use super::nodes::{self, Nodes};
use crate::error::Failure;
use crate::system::process_group::{Group, POLL_INTERVAL};
use crate::system::signals;
use crate::system::slurm;
use crate::ui::progress::Progress;
use std::process::ChildStdin;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How often to check, while a job is pending, whether its nodes are still available.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// The name of the job.
const NAME: &str = "sifcache-stage";
/// The command that salloc runs: prints the job ID, and runs until this process ends.
const HOLD: &str = "echo \"granted $SLURM_JOB_ID\"; exec cat >/dev/null";
/// Options that request a minimum of resources. The job shares nodes and processors with other jobs
/// if the partition allows that, and is not ended when one of its nodes fails.
const MINIMAL: [&str; 7] = [
    "--no-kill",
    "--oversubscribe",
    "--overcommit",
    "--ntasks-per-node=1",
    "--cpus-per-task=1",
    "--mem=512M",
    "--no-bell",
];

/// The parameters of a job.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) partition: &'a str,
    pub(crate) nodes: &'a Nodes,
    /// The time limit in Slurm's format.
    pub(crate) time: &'a str,
    /// Additional options from the command line.
    pub(crate) options: &'a [String],
}

/// A job on all requested nodes. Dropping it releases the allocation.
#[derive(Debug)]
pub(crate) struct Allocation {
    id: String,
    salloc: Group,
    hold: Option<ChildStdin>,
}

impl Allocation {
    /// Requests the nodes and waits for the allocation, as long as `still` returns true. Returns
    /// `None` if `still` returned false first.
    ///
    /// # Errors
    /// Slurm rejects the job, salloc cannot be started, or a signal asked the command to stop.
    pub(crate) fn request(
        request: &Request<'_>,
        progress: &Progress,
        still: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, Failure> {
        let list = nodes::fold(request.nodes)?;
        let task = progress.on_terminal(&format!("requesting {list}"), 0);
        let mut salloc = slurm::command("salloc");
        salloc.arg(format!("--job-name={NAME}")).args(MINIMAL);
        salloc.arg(format!("--partition={}", request.partition));
        salloc.arg(format!("--nodelist={list}")).arg(format!("--nodes={}", request.nodes.len()));
        salloc.arg(format!("--time={}", request.time)).args(request.options);
        salloc.args(["/bin/sh", "-c", HOLD]).current_dir("/");
        let started = Group::start(&mut salloc);
        let mut salloc = started.map_err(|error| slurm::not_started("salloc", &error))?;
        let hold = salloc.stdin();
        let lines = salloc.listen();
        // From here on, dropping `job` releases the allocation on every path.
        let mut job = Self { id: String::new(), salloc, hold };
        let mut queued = |line: &str| {
            progress.note(&format!("waiting for {list}: {}", slurm::bare(line)));
            task.say("waiting");
        };
        let Some(id) = job.granted(&lines, &mut queued, still)? else { return Ok(None) };
        job.id = id;
        Ok(Some(job))
    }

    fn granted(
        &self,
        lines: &Receiver<String>,
        queued: &mut dyn FnMut(&str),
        still: &dyn Fn() -> bool,
    ) -> Result<Option<String>, Failure> {
        let mut messages: Vec<String> = Vec::new();
        let mut looked = Instant::now();
        loop {
            signals::check()?;
            if looked.elapsed() > CHECK_INTERVAL {
                if !still() {
                    return Ok(None);
                }
                looked = Instant::now();
            }
            match lines.recv_timeout(POLL_INTERVAL) {
                Ok(line) if line.starts_with("granted ") => {
                    return Ok(Some(line.trim_start_matches("granted ").to_owned()));
                }
                Ok(line) if line.contains("queued and waiting") => queued(&line),
                Ok(line) => messages.push(line),
                Err(_) if self.salloc.has_ended() => break,
                Err(_) => {}
            }
        }
        messages.extend(lines.try_iter());
        Err(refused(&messages))
    }

    /// The job ID.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// The error for a rejected job: Slurm's message, and advice.
fn refused(messages: &[String]) -> Failure {
    let errors = messages.iter().filter(|line| line.contains("error:"));
    let all = if errors.clone().count() > 0 {
        errors.collect()
    } else {
        messages.iter().collect::<Vec<_>>()
    };
    let reason = slurm::last_message(all.iter().map(|line| line.as_str()));
    let is_about_user =
        reason.contains("Invalid user id") || reason.contains("Access/permission denied");
    let advice = match is_about_user {
        true => "if Slurm accepts no jobs of root, run this as the owner of the image root",
        false => "pass options to salloc after --, as in -- --account=NAME",
    };
    Failure::NoJob { reason, advice }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // End-of-file ends a running job; a signal ends a pending one.
        drop(self.hold.take());
        if self.id.is_empty() || !self.salloc.wait_for_exit() {
            self.salloc.terminate();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn a_rejected_job_is_reported_with_advice() {
        let messages = ["salloc: error: Job submit/allocate failed: Invalid user id".to_owned()];
        let failure = refused(&messages).to_string();
        assert!(
            failure.starts_with(
                "Slurm rejects the job: Job submit/allocate failed: Invalid user id; if"
            ),
            "{failure}"
        );
        let messages = ["salloc: error: Unable to allocate resources: Requested node configuration is not available".to_owned(), "salloc: Job allocation 7 has been revoked.".to_owned()];
        let failure = refused(&messages).to_string();
        assert!(failure.contains("is not available; pass options to salloc after --"), "{failure}");
    }
}
