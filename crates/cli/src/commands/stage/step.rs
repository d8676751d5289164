//! A job step that runs one `sifcache stage-node` on each node of a set, and the communication with
//! these processes.

use super::failure_attribution::{self, Attribution};
use super::local;
use super::message::{NodeReply, Reply, Request};
use super::nodes::{self, Nodes};
use crate::error::Failure;
use crate::exit::Exit;
use crate::site;
use crate::system::process_group::{Group, POLL_INTERVAL};
use crate::system::signals;
use crate::system::slurm;
use sifcache_core::settings::Untrusted;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

/// A shell script that executes the command, or reports that it is not installed.
const PROGRAM: &str = "test -x \"$0\" && exec \"$0\" \"$@\"; \
    printf '{\"node\":\"%s\",\"reply\":\"no-command\"}\\n' \"$SLURMD_NODENAME\"";
/// Options of srun for one task per node, which uses the job's resources regardless of other steps,
/// and continues when other nodes fail.
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
    requests: Option<ChildStdin>,
    replies: Receiver<NodeReply>,
    errors: Receiver<String>,
    messages: Attribution,
    id: String,
}

/// Why a node is no longer used.
#[derive(Debug)]
pub(crate) struct NodeFailure {
    pub(crate) node: String,
    /// The exit status for this failure.
    pub(crate) exit: Exit,
    pub(crate) error: String,
}

impl Step {
    /// Starts the step on the nodes on which it can be started, and removes the others from
    /// `nodes`.
    ///
    /// # Errors
    /// srun cannot be started, or a signal asked the command to stop.
    pub(crate) fn start_on_available(
        terms: Terms<'_>,
        nodes: &mut Nodes,
    ) -> Result<(Option<Self>, Vec<NodeFailure>), Failure> {
        let mut all = Vec::new();
        while !nodes.is_empty() {
            let (step, failures) = Self::start(terms, nodes)?;
            if failures.is_empty() {
                return Ok((Some(step), all));
            }
            nodes.retain(|node| failures.iter().all(|failure| failure.node != *node));
            all.extend(failures);
        }
        Ok((None, all))
    }

    /// Starts the step, and waits until all nodes are ready. Returns the nodes that failed; if
    /// there are any, the step must not be used.
    ///
    /// # Errors
    /// srun cannot be started, or a signal asked the command to stop.
    pub(crate) fn start(
        terms: Terms<'_>,
        nodes: &Nodes,
    ) -> Result<(Self, Vec<NodeFailure>), Failure> {
        let started = Group::start(&mut command(terms, nodes)?);
        let mut srun = started.map_err(|error| slurm::not_started("srun", &error))?;
        let requests = srun.stdin();
        let replies = listen(srun.stdout());
        let errors = srun.listen();
        let mut step = Self {
            srun,
            requests,
            replies,
            errors,
            messages: Attribution::default(),
            id: String::new(),
        };
        let failures = step.ready(nodes)?;
        Ok((step, failures))
    }

    fn ready(&mut self, nodes: &Nodes) -> Result<Vec<NodeFailure>, Failure> {
        let mut failures = Vec::new();
        let mut id = String::new();
        let silent = self.gather(nodes, &mut |node, reply| {
            match reply {
                Reply::Ready { version, step } => {
                    id = step;
                    failures.extend(other_version(node, &version));
                }
                Reply::NoCommand => failures.push(no_command(node)),
                _ => return false,
            }
            true
        })?;
        failures.extend(failure_attribution::at_fault(silent));
        self.id = id;
        Ok(failures)
    }

    /// The step ID within the job.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Sends a request to all nodes of the step.
    pub(crate) fn send(&mut self, request: &Request) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(request).map_err(|error| Failure::Io(error.into()))?;
        line.push(b'\n');
        if let Some(requests) = &mut self.requests {
            // A failed write is ignored: if the step has ended, the missing replies show it.
            let _ = requests.write_all(&line).and_then(|()| requests.flush());
        }
        Ok(())
    }

    /// Receives replies until `on_reply` has returned true for each node. Returns the nodes for
    /// which it never returned true, because their task or the step ended.
    ///
    /// # Errors
    /// A signal asked the command to stop.
    pub(crate) fn gather(
        &mut self,
        nodes: &Nodes,
        on_reply: &mut dyn FnMut(&str, Reply) -> bool,
    ) -> Result<Vec<NodeFailure>, Failure> {
        let mut waiting = nodes.clone();
        let mut failures = Vec::new();
        while !waiting.is_empty() {
            signals::check()?;
            let reply = self.replies.recv_timeout(POLL_INTERVAL);
            self.messages.push(self.errors.try_iter());
            match reply {
                Ok(reply) => {
                    if on_reply(&reply.node, reply.reply) {
                        waiting.remove(&reply.node);
                    }
                }
                // A task that has ended sends no more replies, but srun waits for the other tasks.
                Err(RecvTimeoutError::Timeout) => {
                    let (gone, there): (Nodes, Nodes) =
                        waiting.into_iter().partition(|node| self.messages.has_ended(node));
                    failures.extend(gone.into_iter().map(|node| silent(&self.messages, node)));
                    waiting = there;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        failures.extend(waiting.into_iter().map(|node| silent(&self.messages, node)));
        Ok(failures)
    }

    /// Waits for a reply for a short time, and receives all pending replies. Returns false if the
    /// step has ended.
    pub(crate) fn drain_replies(&self, on_reply: &mut dyn FnMut(&str, Reply)) -> bool {
        let first = self.replies.recv_timeout(POLL_INTERVAL);
        let is_there = first != Err(RecvTimeoutError::Disconnected);
        for reply in first.into_iter().chain(self.replies.try_iter()) {
            on_reply(&reply.node, reply.reply);
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
        drop(self.requests.take());
        if !self.srun.wait_for_exit() {
            self.srun.terminate();
        }
    }
}

/// Receives the replies from the output of the tasks. Other lines, such as those of a task prolog,
/// are ignored.
fn listen(stdout: Option<ChildStdout>) -> Receiver<NodeReply> {
    let (sender, replies) = channel();
    thread::spawn(move || {
        let lines = stdout.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n'));
        for line in lines.map_while(Result::ok) {
            if let Ok(reply) = serde_json::from_slice(&line)
                && sender.send(reply).is_err()
            {
                return;
            }
        }
    });
    replies
}

fn silent(messages: &Attribution, node: String) -> NodeFailure {
    let error = format!("it did not answer: {}", messages.of(&node));
    NodeFailure { node, exit: Exit::UNAVAILABLE, error }
}

fn other_version(node: &str, version: &str) -> Option<NodeFailure> {
    let ours = env!("CARGO_PKG_VERSION");
    let error = format!(
        "it has sifcache {version}, but this host has {ours}: install the same version on both"
    );
    (version != ours).then(|| NodeFailure { node: node.to_owned(), exit: Exit::UNAVAILABLE, error })
}

fn no_command(node: &str) -> NodeFailure {
    let program = local::program().unwrap_or_default();
    let error = format!("{} does not exist: install sifcache on the node", program.display());
    NodeFailure { node: node.to_owned(), exit: Exit::UNAVAILABLE, error }
}

#[cfg(test)]
mod tests {
    use super::other_version;

    #[test]
    fn another_version_on_the_node_is_an_error() {
        assert!(other_version("n1", env!("CARGO_PKG_VERSION")).is_none());
        let message = other_version("n1", "0.0.1").unwrap().error;
        assert!(message.starts_with("it has sifcache 0.0.1, but this host has "), "{message}");
    }
}
