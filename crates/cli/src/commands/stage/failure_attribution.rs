//! What srun says of the nodes of a step: which of them is at fault.

use super::nodes;
use super::step::Lost;
use crate::system::slurm;

/// In front of the name of a node that it cannot start a task on.
const NOT_LAUNCHED: &str = "failed on node ";
/// In front of the name of a node that is lost.
const NODE_FAILURE: &str = "ode failure on ";

/// The lines so far.
#[derive(Debug, Default)]
pub(super) struct Blame {
    lines: Vec<String>,
    /// The nodes that each line is about.
    about: Vec<Vec<String>>,
}

impl Blame {
    /// More of them.
    pub(super) fn hear(&mut self, lines: impl Iterator<Item = String>) {
        for line in lines {
            self.about.push(about(&line).map(expand).unwrap_or_default());
            self.lines.push(line);
        }
    }

    /// Whether the task on a node has ended, or the node is lost.
    pub(super) fn has_ended(&self, node: &str) -> bool {
        self.about.iter().flatten().any(|other| other == node)
    }

    /// Why there is no answer from a node: what was said of it at last, else at last.
    pub(super) fn of(&self, node: &str) -> String {
        let lines = || self.lines.iter().map(String::as_str);
        let of_it =
            lines().zip(&self.about).rev().find(|(_, about)| about.iter().any(|one| one == node));
        match of_it {
            Some((line, _)) => slurm::bare(line).to_owned(),
            None => slurm::last_words(lines()),
        }
    }
}

/// The nodes that a line says the end of: `n3`, `n[1-2]`.
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

/// Slurm itself unfolds names; one that it does not is a name.
fn expand(list: &str) -> Vec<String> {
    let names = list.contains('[').then(|| nodes::expand(list).ok()).flatten();
    names.map_or_else(|| vec![list.to_owned()], |names| names.into_iter().collect())
}

/// When srun cannot start a task on one node, it ends those on all others.
pub(super) fn at_fault(silent: Vec<Lost>) -> Vec<Lost> {
    let is_named = |lost: &Lost| lost.error.contains(NOT_LAUNCHED);
    match silent.iter().any(is_named) {
        true => silent.into_iter().filter(is_named).collect(),
        false => silent,
    }
}

#[cfg(test)]
mod tests {
    use super::{Blame, about, at_fault};
    use crate::commands::stage::step::Lost;
    use crate::error::Exit;

    const NOT_LAUNCHED: &str =
        "srun: error: Task launch for StepId=25.0 failed on node n3: Socket timed out";

    #[test]
    fn whose_end_a_line_says() {
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
    fn of_a_node_or_of_all() {
        let mut blame = Blame::default();
        assert_eq!(blame.of("n1"), "it did not say why");
        let lines = ["srun: error: n1: task 0: Killed", "srun: error: Unable to go on"];
        blame.hear(lines.map(str::to_owned).into_iter());
        assert!(blame.has_ended("n1") && !blame.has_ended("n2"));
        assert_eq!(
            (blame.of("n1"), blame.of("n2")),
            ("n1: task 0: Killed".to_owned(), "Unable to go on".to_owned())
        );
    }

    #[test]
    fn one_node_is_at_fault_for_all() {
        let lost = |node: &str, error: &str| Lost {
            node: node.to_owned(),
            exit: Exit::UNAVAILABLE,
            error: error.to_owned(),
        };
        let killed = || lost("n1", "it did not answer: n1: task 0: Killed");
        let at = at_fault(vec![killed(), lost("n3", NOT_LAUNCHED)]);
        assert_eq!(at.iter().map(|lost| lost.node.as_str()).collect::<Vec<_>>(), ["n3"]);
        assert_eq!(at_fault(vec![killed(), killed()]).len(), 2);
    }
}
