//! A job step that runs one `sifcache stage-node` on each of some nodes, and the communication with
//! these processes.

use super::failure_attribution::{self, Blame};
use super::local;
use super::message::{Answer, Order, Said};
use super::nodes::{self, Nodes};
use crate::error::{Exit, Failure};
use crate::site;
use crate::system::process_group::{Group, PATIENCE};
use crate::system::signals;
use crate::system::slurm;
use sifcache_core::settings::Untrusted;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

/// Executes the command, or reports that it is not installed.
const PROGRAM: &str = "test -x \"$0\" && exec \"$0\" \"$@\"; \
    printf '{\"node\":\"%s\",\"said\":\"no-command\"}\\n' \"$SLURMD_NODENAME\"";
/// One task per node, which uses the job's resources regardless of other steps, and continues when
/// other nodes fail.
const OPTIONS: [&str; 11] = [
    "--ntasks-per-node=1",
    "--cpus-per-task=1",
    "--overcommit",
    "--overlap",
    "--no-kill",
    "--kill-on-bad-exit=0",
    "--wait=0",
    "--mpi=none",
    "--cpu-bind=none",
    "--chdir=/",
    "--input=all",
];

/// Parameters for the work on the nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// The job ID.
    pub(crate) job: &'a str,
    /// The node-local image root.
    pub(crate) root: &'a Path,
    pub(crate) untrusted: Untrusted,
    /// The value of `--keep`, unparsed.
    pub(crate) keep: &'a str,
}

/// A running step. Dropping it ends its tasks, which remove their unfinished work.
#[derive(Debug)]
pub(crate) struct Step {
    srun: Group,
    orders: Option<ChildStdin>,
    answers: Receiver<Answer>,
    errors: Receiver<String>,
    said: Blame,
    id: String,
}

/// Why a node is no longer used.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) node: String,
    pub(crate) exit: Exit,
    pub(crate) error: String,
}

impl Step {
    /// Starts the step on as many of the nodes as possible, and removes the others from `nodes`.
    ///
    /// # Errors
    /// srun cannot be started, or a signal asked the command to stop.
    pub(crate) fn start_where_it_goes(
        terms: Terms<'_>,
        nodes: &mut Nodes,
    ) -> Result<(Option<Self>, Vec<Lost>), Failure> {
        let mut all = Vec::new();
        while !nodes.is_empty() {
            let (step, lost) = Self::start(terms, nodes)?;
            if lost.is_empty() {
                return Ok((Some(step), all));
            }
            nodes.retain(|node| lost.iter().all(|lost| lost.node != *node));
            all.extend(lost);
        }
        Ok((None, all))
    }

    /// Starts the step, and waits until all nodes are ready. Returns the nodes that failed; if
    /// there are any, the step must not be used.
    ///
    /// # Errors
    /// srun cannot be started, or a signal asked the command to stop.
    pub(crate) fn start(terms: Terms<'_>, nodes: &Nodes) -> Result<(Self, Vec<Lost>), Failure> {
        let started = Group::start(&mut command(terms, nodes)?);
        let mut srun = started.map_err(|error| slurm::not_started("srun", &error))?;
        let orders = srun.stdin();
        let answers = listen(srun.stdout());
        let errors = srun.listen();
        let mut step =
            Self { srun, orders, answers, errors, said: Blame::default(), id: String::new() };
        let lost = step.ready(nodes)?;
        Ok((step, lost))
    }

    fn ready(&mut self, nodes: &Nodes) -> Result<Vec<Lost>, Failure> {
        let mut lost = Vec::new();
        let mut id = String::new();
        let silent = self.gather(nodes, &mut |node, said| {
            match said {
                Said::Ready { version, step } => {
                    id = step;
                    lost.extend(other_version(node, &version));
                }
                Said::NoCommand => lost.push(no_command(node)),
                _ => return false,
            }
            true
        })?;
        lost.extend(failure_attribution::at_fault(silent));
        self.id = id;
        Ok(lost)
    }

    /// The step ID within the job.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Sends a request to all nodes of the step.
    pub(crate) fn tell(&mut self, order: &Order) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(order).map_err(|error| Failure::Io(error.into()))?;
        line.push(b'\n');
        if let Some(orders) = &mut self.orders {
            // A failed write is ignored: if the step has ended, the missing replies show it.
            let _ = orders.write_all(&line).and_then(|()| orders.flush());
        }
        Ok(())
    }

    /// Receives replies until `hear` has returned true for each node. Returns the nodes for which
    /// it never did, because their task or the step ended.
    ///
    /// # Errors
    /// A signal asked the command to stop.
    pub(crate) fn gather(
        &mut self,
        nodes: &Nodes,
        hear: &mut dyn FnMut(&str, Said) -> bool,
    ) -> Result<Vec<Lost>, Failure> {
        let mut waiting = nodes.clone();
        let mut lost = Vec::new();
        while !waiting.is_empty() {
            signals::check()?;
            let answer = self.answers.recv_timeout(PATIENCE);
            self.said.hear(self.errors.try_iter());
            match answer {
                Ok(answer) => {
                    if hear(&answer.node, answer.said) {
                        waiting.remove(&answer.node);
                    }
                }
                // A task that has ended sends no more replies, but srun waits for the other tasks.
                Err(RecvTimeoutError::Timeout) => {
                    let (gone, there): (Nodes, Nodes) =
                        waiting.into_iter().partition(|node| self.said.has_ended(node));
                    lost.extend(gone.into_iter().map(|node| silent(&self.said, node)));
                    waiting = there;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        lost.extend(waiting.into_iter().map(|node| silent(&self.said, node)));
        Ok(lost)
    }

    /// Receives pending replies, and waits for the first one for a short time. Returns false if the
    /// step has ended.
    pub(crate) fn overhear(&self, hear: &mut dyn FnMut(&str, Said)) -> bool {
        let first = self.answers.recv_timeout(PATIENCE);
        let is_there = first != Err(RecvTimeoutError::Disconnected);
        for answer in first.into_iter().chain(self.answers.try_iter()) {
            hear(&answer.node, answer.said);
        }
        is_there
    }
}

/// The srun command of a step.
fn command(terms: Terms<'_>, nodes: &Nodes) -> Result<Command, Failure> {
    let mut srun = slurm::command("srun");
    srun.args(OPTIONS).arg(format!("--jobid={}", terms.job));
    srun.arg(format!("--nodelist={}", nodes::fold(nodes)?));
    srun.arg(format!("--nodes={0}", nodes.len())).arg(format!("--ntasks={}", nodes.len()));
    srun.args(["/bin/sh", "-c", PROGRAM]).arg(local::program()?);
    srun.args(["stage-node", "--untrusted", local::word(terms.untrusted)]);
    srun.args(["--keep", terms.keep, "--root"]).arg(site::root_word(terms.root));
    Ok(srun)
}

impl Drop for Step {
    fn drop(&mut self) {
        drop(self.orders.take());
        if !self.srun.ends_by_itself() {
            self.srun.ask_to_end();
        }
    }
}

/// Receives the replies from the output of the tasks. Other lines, such as those of a task prolog,
/// are ignored.
fn listen(stdout: Option<ChildStdout>) -> Receiver<Answer> {
    let (sender, answers) = channel();
    thread::spawn(move || {
        let lines = stdout.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n'));
        for line in lines.map_while(Result::ok) {
            if let Ok(answer) = serde_json::from_slice(&line)
                && sender.send(answer).is_err()
            {
                return;
            }
        }
    });
    answers
}

fn silent(said: &Blame, node: String) -> Lost {
    let error = format!("it did not answer: {}", said.of(&node));
    Lost { node, exit: Exit::UNAVAILABLE, error }
}

fn other_version(node: &str, version: &str) -> Option<Lost> {
    let ours = env!("CARGO_PKG_VERSION");
    let error = format!("it has sifcache {version}, and this is {ours}: install the same on both");
    (version != ours).then(|| Lost { node: node.to_owned(), exit: Exit::UNAVAILABLE, error })
}

fn no_command(node: &str) -> Lost {
    let program = local::program().unwrap_or_default();
    let error = format!("{} is not there: install sifcache on the node", program.display());
    Lost { node: node.to_owned(), exit: Exit::UNAVAILABLE, error }
}

#[cfg(test)]
mod tests {
    use super::other_version;

    #[test]
    fn another_version_on_the_node_is_an_error() {
        assert!(other_version("n1", env!("CARGO_PKG_VERSION")).is_none());
        let said = other_version("n1", "0.0.1").unwrap().error;
        assert!(said.starts_with("it has sifcache 0.0.1, and this is "), "{said}");
    }
}
