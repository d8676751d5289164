//! A step of the job, with one `sifcache stage-node` on each of some nodes, and what they
//! say.

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

/// Runs the command, or says that it is not there.
const PROGRAM: &str = "test -x \"$0\" && exec \"$0\" \"$@\"; \
    printf '{\"node\":\"%s\",\"said\":\"no-command\"}\\n' \"$SLURMD_NODENAME\"";
/// One task a node, on what the job has, whatever other steps do, and however other nodes
/// fare.
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

/// How nodes are to work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// The number of the job.
    pub(crate) job: &'a str,
    /// The node-local image root.
    pub(crate) root: &'a Path,
    pub(crate) untrusted: Untrusted,
    /// `--keep`, as it was given.
    pub(crate) keep: &'a str,
}

/// A step that runs; its tasks end when this is dropped, and take away what they have begun.
#[derive(Debug)]
pub(crate) struct Step {
    srun: Group,
    orders: Option<ChildStdin>,
    answers: Receiver<Answer>,
    errors: Receiver<String>,
    said: Blame,
    id: String,
}

/// Why a node takes no part any more.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) node: String,
    pub(crate) exit: Exit,
    pub(crate) error: String,
}

impl Step {
    /// Starts it on as many of the nodes as can be, and takes the others out of `nodes`.
    ///
    /// # Errors
    /// If there is no srun, or a signal asked the command to end.
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

    /// Starts it, and waits until all nodes listen. Those that do not are returned; then
    /// the step is of no use.
    ///
    /// # Errors
    /// If there is no srun, or a signal asked the command to end.
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

    /// Its number in the job.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Tells all its nodes something.
    pub(crate) fn tell(&mut self, order: &Order) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(order).map_err(|error| Failure::Io(error.into()))?;
        line.push(b'\n');
        if let Some(orders) = &mut self.orders {
            // A step that has ended does not listen; that it has is noticed by its silence.
            let _ = orders.write_all(&line).and_then(|()| orders.flush());
        }
        Ok(())
    }

    /// Listens until `hear` has said of each node that it is done, and returns those of
    /// which it never did, because their task or the step has ended.
    ///
    /// # Errors
    /// That a signal asked the command to end.
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
                // Nothing more comes from a task that has ended, and srun waits for the others.
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

    /// Hears what nodes have said meanwhile, for a moment. False if the step has ended.
    pub(crate) fn overhear(&self, hear: &mut dyn FnMut(&str, Said)) -> bool {
        let first = self.answers.recv_timeout(PATIENCE);
        let is_there = first != Err(RecvTimeoutError::Disconnected);
        for answer in first.into_iter().chain(self.answers.try_iter()) {
            hear(&answer.node, answer.said);
        }
        is_there
    }
}

/// The srun of a step.
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

/// The answers among what the tasks print. Other lines are somebody else's: a task prolog's.
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
    fn the_same_version_on_both_sides() {
        assert!(other_version("n1", env!("CARGO_PKG_VERSION")).is_none());
        let said = other_version("n1", "0.0.1").unwrap().error;
        assert!(said.starts_with("it has sifcache 0.0.1, and this is "), "{said}");
    }
}
