//! The job: an ordinary allocation, which goes when this command does.
//!
//! salloc runs a `cat` that reads from us. When we end, however that happens, `cat` sees
//! the end of its input and ends too, and salloc gives the allocation back.

use super::nodes::{self, Nodes};
use crate::error::{Exit, Failure};
use crate::system::process_group::{Group, PATIENCE};
use crate::system::signals;
use crate::system::slurm;
use crate::ui::progress::Progress;
use std::process::ChildStdin;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How often it is asked, while a job waits, whether it can still have its nodes.
const AGAIN: Duration = Duration::from_secs(10);
/// What the job is called.
const NAME: &str = "sifcache-stage";
/// What salloc runs: says which job it is, and stays as long as we do.
const HOLD: &str = "echo \"granted $SLURM_JOB_ID\"; exec cat >/dev/null";
/// As little as a step needs. It shares nodes and processors with other jobs where the
/// partition lets it, and is not ended when one of its nodes fails.
const LITTLE: [&str; 7] = [
    "--no-kill",
    "--oversubscribe",
    "--overcommit",
    "--ntasks-per-node=1",
    "--cpus-per-task=1",
    "--mem=512M",
    "--no-bell",
];

/// What to ask for.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) partition: &'a str,
    pub(crate) nodes: &'a Nodes,
    /// The time limit, as Slurm reads it.
    pub(crate) time: &'a str,
    /// Further options, as the admin gave them.
    pub(crate) options: &'a [String],
}

/// A job on all the nodes that were asked for; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Allocation {
    id: String,
    salloc: Group,
    hold: Option<ChildStdin>,
}

impl Allocation {
    /// Asks for the nodes, and waits until they are ours, as long as `still` says that there
    /// is a point in that; nothing if there is none any more.
    ///
    /// # Errors
    /// What Slurm says against it, or that a signal asked the command to end.
    pub(crate) fn request(
        request: &Request<'_>,
        progress: &Progress,
        still: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, Failure> {
        let list = nodes::fold(request.nodes)?;
        let task = progress.on_terminal(&format!("asking for {list}"), 0);
        let mut salloc = slurm::command("salloc");
        salloc.arg(format!("--job-name={NAME}")).args(LITTLE);
        salloc.arg(format!("--partition={}", request.partition));
        salloc.arg(format!("--nodelist={list}")).arg(format!("--nodes={}", request.nodes.len()));
        salloc.arg(format!("--time={}", request.time)).args(request.options);
        salloc.args(["/bin/sh", "-c", HOLD]).current_dir("/");
        let started = Group::start(&mut salloc);
        let mut salloc = started.map_err(|error| slurm::not_started("salloc", &error))?;
        let hold = salloc.stdin();
        let lines = salloc.listen();
        // From here on it is given back, whatever happens.
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
        let mut said: Vec<String> = Vec::new();
        let mut looked = Instant::now();
        loop {
            signals::check()?;
            if looked.elapsed() > AGAIN {
                if !still() {
                    return Ok(None);
                }
                looked = Instant::now();
            }
            match lines.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with("granted ") => {
                    return Ok(Some(line.trim_start_matches("granted ").to_owned()));
                }
                Ok(line) if line.contains("queued and waiting") => queued(&line),
                Ok(line) => said.push(line),
                Err(_) if self.salloc.has_ended() => break,
                Err(_) => {}
            }
        }
        said.extend(lines.try_iter());
        Err(refused(&said))
    }

    /// The number of the job.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// What Slurm said against the job, and what to do.
fn refused(said: &[String]) -> Failure {
    let errors = said.iter().filter(|line| line.contains("error:"));
    let all =
        if errors.clone().count() > 0 { errors.collect() } else { said.iter().collect::<Vec<_>>() };
    let why = slurm::last_words(all.iter().map(|line| line.as_str()));
    let advice = match why.contains("Invalid user id") || why.contains("Access/permission denied") {
        true => "; where Slurm takes no jobs of root, run this as the owner of the image root",
        false => "; options of salloc can follow --: -- --account=NAME",
    };
    Failure::new(Exit::UNAVAILABLE, format!("Slurm gives no job: {why}{advice}"))
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // The end of its input for a job that runs, a signal for one that waits.
        drop(self.hold.take());
        if self.id.is_empty() || !self.salloc.ends_by_itself() {
            self.salloc.ask_to_end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn why_there_is_no_job() {
        let said = ["salloc: error: Job submit/allocate failed: Invalid user id".to_owned()];
        let failure = refused(&said).to_string();
        assert!(
            failure.starts_with(
                "Slurm gives no job: Job submit/allocate failed: Invalid user id; where"
            ),
            "{failure}"
        );
        let said = ["salloc: error: Unable to allocate resources: Requested node configuration is not available".to_owned(), "salloc: Job allocation 7 has been revoked.".to_owned()];
        let failure = refused(&said).to_string();
        assert!(failure.contains("is not available; options of salloc can follow --"), "{failure}");
    }
}
