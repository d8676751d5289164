//! Attributes srun's error messages to the nodes of a step.

use super::nodes;
use super::step::NodeFailure;
use crate::system::slurm;

/// Text before the name of a node on which srun cannot start a task.
const NOT_LAUNCHED: &str = "failed on node ";
/// Text before the name of a node that failed ("Node" or "node").
const NODE_FAILURE: &str = "ode failure on ";

/// The messages received so far.
#[derive(Debug, Default)]
pub(super) struct Attribution {
    lines: Vec<String>,
    /// The nodes that each line refers to.
    about: Vec<Vec<String>>,
}

impl Attribution {
    /// Adds messages.
    pub(super) fn push(&mut self, lines: impl Iterator<Item = String>) {
        for line in lines {
            self.about.push(about(&line).map(expand).unwrap_or_default());
            self.lines.push(line);
        }
    }

    /// Whether the task on a node has ended, or the node failed.
    pub(super) fn has_ended(&self, node: &str) -> bool {
        self.about.iter().flatten().any(|other| other == node)
    }

    /// Why a node does not respond: the last message about it, or else the last message overall.
    pub(super) fn of(&self, node: &str) -> String {
        let lines = || self.lines.iter().map(String::as_str);
        let of_it =
            lines().zip(&self.about).rev().find(|(_, about)| about.iter().any(|one| one == node));
        match of_it {
            Some((line, _)) => slurm::bare(line).to_owned(),
            None => slurm::last_message(lines()),
        }
    }
}

/// The nodes that a line reports as ended or failed, as a Slurm node list: `n3`, `n[1-2]`.
fn about(line: &str) -> Option<&str> {
    for words in [NOT_LAUNCHED, NODE_FAILURE] {
        if let Some((_, rest)) = line.split_once(words) {
            return rest.split([':', ' ']).next();
        }
    }
    // `n[1-2]: tasks 0-1: Killed`
    let (nodes, rest) = slurm::bare(line).split_once(": ")?;
    rest.starts_with("task").then_some(nodes)
}

/// Slurm expands node lists; a list that Slurm does not expand is treated as a name.
fn expand(list: &str) -> Vec<String> {
    let names = list.contains('[').then(|| nodes::expand(list).ok()).flatten();
    names.map_or_else(|| vec![list.to_owned()], |names| names.into_iter().collect())
}

/// If srun cannot start a task on one node, it ends the tasks on all other nodes, so only that node
/// is at fault.
pub(super) fn at_fault(silent: Vec<NodeFailure>) -> Vec<NodeFailure> {
    let is_named = |failure: &NodeFailure| failure.error.contains(NOT_LAUNCHED);
    match silent.iter().any(is_named) {
        true => silent.into_iter().filter(is_named).collect(),
        false => silent,
    }
}

#[cfg(test)]
mod tests {
    use super::{Attribution, about, at_fault};
    use crate::commands::stage::step::NodeFailure;
    use crate::exit::Exit;

    const NOT_LAUNCHED: &str =
        "srun: error: Task launch for StepId=25.0 failed on node n3: Socket timed out";

    #[test]
    fn nodes_are_parsed_from_messages() {
        for (line, nodes) in [
            (NOT_LAUNCHED, Some("n3")),
            ("srun: error: Node failure on n2", Some("n2")),
            ("srun: error: n1: task 0: Killed", Some("n1")),
            ("srun: error: n[1-2]: tasks 0-1: Exited with exit code 2", Some("n[1-2]")),
            ("srun: Job step aborted: Waiting up to 4 seconds for job step to finish.", None),
            ("srun: error: Unable to create step for job 7: Invalid job id specified", None),
            ("slurmstepd: error: couldn't chdir to `/x': No such file or directory", None),
        ] {
            assert_eq!(about(line), nodes, "{line}");
        }
    }

    #[test]
    fn a_node_gets_its_own_message_or_the_last_one() {
        let mut attribution = Attribution::default();
        assert_eq!(attribution.of("n1"), "it failed without a message");
        let lines = ["srun: error: n1: task 0: Killed", "srun: error: Unable to go on"];
        attribution.push(lines.map(str::to_owned).into_iter());
        assert!(attribution.has_ended("n1") && !attribution.has_ended("n2"));
        assert_eq!(
            (attribution.of("n1"), attribution.of("n2")),
            ("n1: task 0: Killed".to_owned(), "Unable to go on".to_owned())
        );
    }

    #[test]
    fn a_node_without_a_task_is_at_fault() {
        let failure = |node: &str, error: &str| NodeFailure {
            node: node.to_owned(),
            exit: Exit::UNAVAILABLE,
            error: error.to_owned(),
        };
        let killed = || failure("n1", "it did not answer: n1: task 0: Killed");
        let at = at_fault(vec![killed(), failure("n3", NOT_LAUNCHED)]);
        assert_eq!(at.iter().map(|failure| failure.node.as_str()).collect::<Vec<_>>(), ["n3"]);
        assert_eq!(at_fault(vec![killed(), killed()]).len(), 2);
    }
}
