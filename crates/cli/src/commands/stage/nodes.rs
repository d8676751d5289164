//! Determines the requested nodes, and which of them can run a job now.

use crate::error::Failure;
pub(crate) use crate::system::hostlist::{Nodes, expand, fold};
use crate::system::slurm;
use std::collections::{BTreeMap, BTreeSet};

/// The nodes for a job, and the nodes that are skipped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The partition of the job, which has all of the nodes.
    pub(crate) partition: String,
    pub(crate) nodes: Nodes,
    /// The skipped nodes, each with the reason why it cannot run a job.
    pub(crate) left_out: BTreeMap<String, String>,
}

/// One node in one partition, from the output of sinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row<'a> {
    node: &'a str,
    partition: &'a str,
    is_default: bool,
    state: &'a str,
}

/// The nodes selected by `--nodes` and `--partition`.
///
/// # Errors
/// A node or partition does not exist, or no partition has all of the nodes.
pub(crate) fn choose(list: Option<&str>, partition: Option<&str>) -> Result<Chosen, Failure> {
    let listed = list.map(expand).transpose()?;
    let text = slurm::output("sinfo", &["--all", "--noheader", "--Node", "--format=%N|%P|%T"])?;
    let rows: Vec<Row<'_>> = text.lines().filter_map(row).collect();
    of_rows(&rows, listed, partition).map_err(Failure::Nodes)
}

fn row(line: &str) -> Option<Row<'_>> {
    let mut fields = line.trim().split('|');
    let (node, partition, state) = (fields.next()?, fields.next()?, fields.next()?);
    let name = partition.strip_suffix('*');
    Some(Row { node, partition: name.unwrap_or(partition), is_default: name.is_some(), state })
}

fn of_rows(
    rows: &[Row<'_>],
    listed: Option<Nodes>,
    wanted: Option<&str>,
) -> Result<Chosen, String> {
    if let Some(partition) = wanted.filter(|one| rows.iter().all(|row| row.partition != *one)) {
        return Err(format!(
            "--partition {partition}: there is no such partition, or it has no nodes"
        ));
    }
    let meant = |row: &&Row<'_>| wanted.is_none_or(|partition| row.partition == partition);
    let of: BTreeMap<&str, &str> =
        rows.iter().filter(meant).map(|row| (row.node, row.state)).collect();
    let listed = listed.unwrap_or_else(|| of.keys().map(|&node| node.to_owned()).collect());
    let unknown: Vec<&str> =
        listed.iter().map(String::as_str).filter(|node| !of.contains_key(node)).collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        return Err(match wanted {
            Some(partition) => format!("partition {partition} has no node {unknown}"),
            None => format!("no partition has a node {unknown}"),
        });
    }
    let mut chosen = Chosen::default();
    for node in listed {
        match of.get(node.as_str()).and_then(|state| unusable(state)) {
            Some(why) => drop(chosen.left_out.insert(node, why)),
            None => drop(chosen.nodes.insert(node)),
        }
    }
    chosen.partition = match wanted {
        Some(partition) => partition.to_owned(),
        None => partition_of(rows, &chosen.nodes)?,
    };
    Ok(chosen)
}

/// A partition that has all of these nodes, preferably the default partition.
fn partition_of(rows: &[Row<'_>], nodes: &Nodes) -> Result<String, String> {
    let mut partitions: BTreeMap<(bool, &str), BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        partitions.entry((!row.is_default, row.partition)).or_default().insert(row.node);
    }
    let has_all = |has: &BTreeSet<&str>| nodes.iter().all(|node| has.contains(node.as_str()));
    let found = partitions.into_iter().find(|(_, has)| has_all(has));
    found.map(|((_, partition), _)| partition.to_owned()).ok_or_else(|| {
        "no partition has all these nodes: stage to the nodes of one partition after the other"
            .to_owned()
    })
}

/// The reason why a job that requests a node in this state would stay pending, or `None` if it
/// could start. sinfo writes a state as a word with an optional flag character after it.
fn unusable(state: &str) -> Option<String> {
    let word = state.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    match word {
        _ if state.ends_with('*') => Some(format!("it does not respond (state {word})")),
        _ if state.ends_with(['~', '%', '!']) => Some("it is powered down".to_owned()),
        "idle" | "mixed" | "allocated" | "completing" | "planned" | "reserved" | "maint" => None,
        _ => Some(format!("it accepts no jobs (state {word})")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Chosen, Nodes, of_rows, row, unusable};

    const SINFO: &str = "\
n1|cpu|idle\nn1|all*|idle\nn2|cpu|mixed-\nn2|all*|mixed-\nn3|all*|down*\ng1|gpu|allocated\n";

    fn chosen(list: Option<&[&str]>, partition: Option<&str>) -> Result<Chosen, String> {
        let rows: Vec<_> = SINFO.lines().filter_map(row).collect();
        of_rows(&rows, list.map(nodes), partition)
    }

    fn nodes(list: &[&str]) -> Nodes {
        list.iter().map(|&node| node.to_owned()).collect()
    }

    #[test]
    fn a_partition_with_all_nodes_is_chosen() {
        let one = chosen(Some(&["n1", "n2"]), None).unwrap();
        assert_eq!((one.partition.as_str(), one.nodes), ("all", nodes(&["n1", "n2"])));
        let other = chosen(Some(&["n1"]), Some("cpu")).unwrap();
        assert_eq!((other.partition.as_str(), other.nodes), ("cpu", nodes(&["n1"])));
        assert_eq!(chosen(Some(&["g1"]), None).unwrap().partition, "gpu");
        let message = chosen(Some(&["n1", "g1"]), None).unwrap_err();
        assert!(message.starts_with("no partition has all these nodes"), "{message}");
    }

    #[test]
    fn nodes_that_are_down_are_skipped() {
        let all = chosen(None, Some("all")).unwrap();
        assert_eq!(all.nodes, nodes(&["n1", "n2"]));
        assert_eq!(all.left_out["n3"], "it does not respond (state down)");
    }

    #[test]
    fn unknown_nodes_and_partitions_are_errors() {
        assert_eq!(chosen(Some(&["n1", "x1"]), None).unwrap_err(), "no partition has a node x1");
        assert_eq!(chosen(Some(&["g1"]), Some("cpu")).unwrap_err(), "partition cpu has no node g1");
        let message = chosen(None, Some("none")).unwrap_err();
        assert_eq!(message, "--partition none: there is no such partition, or it has no nodes");
    }

    #[test]
    fn states_that_cannot_run_jobs_are_recognized() {
        for usable in ["idle", "mixed", "allocated", "completing", "planned", "idle#", "mixed-"] {
            assert_eq!(unusable(usable), None, "{usable}");
        }
        for (state, message) in [
            ("idle*", "it does not respond (state idle)"),
            ("drained", "it accepts no jobs (state drained)"),
            ("draining", "it accepts no jobs (state draining)"),
            ("down", "it accepts no jobs (state down)"),
            ("idle~", "it is powered down"),
        ] {
            assert_eq!(unusable(state).as_deref(), Some(message));
        }
    }
}
