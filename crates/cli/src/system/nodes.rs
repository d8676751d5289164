//! The nodes of the cluster, from sinfo.

use crate::system::process::{Call, Run};
use std::collections::{BTreeMap, BTreeSet};

/// The arguments of sinfo.
pub(crate) const ARGUMENTS: [&str; 4] = ["--all", "--noheader", "--Node", "--format=%n|%T|%R"];

/// What Slurm says about a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// Whether the node can run jobs now.
    pub(crate) is_up: bool,
    /// Its partitions, including hidden ones.
    pub(crate) partitions: BTreeSet<String>,
}

/// The nodes by host name. The value shows whether the node can run jobs now.
///
/// # Errors
/// sinfo is unavailable or fails; the message says why.
pub(crate) fn nodes(run: &dyn Run) -> Result<BTreeMap<String, bool>, String> {
    Ok(cluster(run)?.into_iter().map(|(name, node)| (name, node.is_up)).collect())
}

/// The nodes by host name.
///
/// # Errors
/// sinfo is unavailable or fails; the message says why.
pub(crate) fn cluster(run: &dyn Run) -> Result<BTreeMap<String, Node>, String> {
    // One line for each node and partition.
    let arguments = ARGUMENTS.map(str::to_owned).into();
    let call = Call { program: "sinfo".into(), arguments, ..Call::default() };
    let answer = run.run(&call).map_err(|error| error.describe("sinfo"))?;
    match answer.success {
        true => Ok(parse(&answer.stdout)),
        false => {
            let last = answer.stderr.lines().map(str::trim).rfind(|line| !line.is_empty());
            Err(last.unwrap_or("sinfo failed without a message").to_owned())
        }
    }
}

fn parse(text: &str) -> BTreeMap<String, Node> {
    let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.trim().splitn(3, '|');
        let (Some(host), Some(state)) = (words.next(), words.next()) else { continue };
        let node = nodes.entry(host.to_owned()).or_default();
        node.is_up = is_up(state);
        node.partitions.extend(words.next().map(str::to_owned));
    }
    nodes
}

/// Whether a node in this state writes a log. A node that is down or powered off does not write
/// one, and starts no job until it is up again.
fn is_up(state: &str) -> bool {
    let without_power = state.contains(['~', '%']) || state.contains("power");
    !without_power && !["down", "future", "unknown"].iter().any(|name| state.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::{cluster, nodes};
    use crate::system::process::{Answer, Call, Run, RunError};

    struct Sinfo(Result<&'static str, RunError>);

    impl Run for Sinfo {
        fn run(&self, _: &Call) -> Result<Answer, RunError> {
            let stdout = self.0?.to_owned();
            let (success, stderr) = (!stdout.is_empty(), "sinfo: error: no\n".to_owned());
            Ok(Answer { success, stdout, stderr })
        }
    }

    #[test]
    fn nodes_are_listed_with_their_state() {
        let text = "n1|idle|cpu\nn1|idle|debug\nN2.example.org|drained*|cpu\nn3|down*|cpu\n\
                    n4|idle~|cpu\nn5|powered_down|cpu\n";
        let partitions = &cluster(&Sinfo(Ok(text))).unwrap()["n1"].partitions;
        assert_eq!(partitions.iter().collect::<Vec<_>>(), ["cpu", "debug"]);
        let nodes = nodes(&Sinfo(Ok(text))).unwrap();
        let all: Vec<(&str, bool)> = nodes.iter().map(|(name, up)| (name.as_str(), *up)).collect();
        assert_eq!(
            all,
            [("N2.example.org", true), ("n1", true), ("n3", false), ("n4", false), ("n5", false)]
        );
    }

    #[test]
    fn a_failing_sinfo_is_an_error() {
        assert_eq!(nodes(&Sinfo(Ok(""))).unwrap_err(), "sinfo: error: no");
        let missing = nodes(&Sinfo(Err(RunError::Missing))).unwrap_err();
        assert_eq!(missing, "sinfo is not in PATH");
    }
}
