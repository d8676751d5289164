//! Hits and misses by node, from the headers of log lines, and by partition, from sinfo.

use super::Facts;
use crate::events::count::Outcomes;
use crate::events::logs;
use crate::report::data::source::SourceId;
use crate::report::data::usage::{Node, Partition};
use crate::report::data::{Section, number};
use crate::system::nodes;
use crate::system::process::Run;
use std::collections::BTreeMap;

/// The nodes of the cluster by their short host names, as logs name them.
///
/// # Errors
/// Slurm cannot be queried; the message has the reason.
pub(super) fn cluster(run: &dyn Run) -> Result<BTreeMap<String, nodes::Node>, String> {
    let nodes = nodes::cluster(run)?;
    Ok(nodes.into_iter().map(|(name, node)| (logs::host_name(&name), node)).collect())
}

/// The section about nodes.
pub(super) fn section(facts: &Facts<'_>) -> Section<Vec<Node>> {
    let sources = [SourceId::Logs, SourceId::Slurm];
    let read = match &facts.logs {
        Ok(logs) => &logs.read,
        Err(why) => return Section::without(&sources, why),
    };
    let used: BTreeMap<&str, _> =
        read.evidence.nodes().map(|(name, node)| (name, node.used)).collect();
    let row = |(name, host): (&String, &crate::events::logs::read::OfHost)| {
        let last = used.get(name.as_str()).copied().flatten();
        // A host without a line of the plugin is not a node that uses the cache.
        if last.is_none() && host.outcomes == Outcomes::default() {
            return None;
        }
        let covered = host.spans.newest();
        let partitions = facts.cluster.as_ref().ok().and_then(|all| all.get(name));
        let partitions = partitions.map(|node| &node.partitions);
        Some(Node {
            node: name.clone(),
            hits: host.outcomes.hits,
            misses: host.outcomes.misses,
            last: last.map(|time| facts.not_later(time)),
            covered_from: covered.map(|span| facts.not_later(span.from)),
            covered_to: covered.map(|span| facts.not_later(span.to)),
            partitions: partitions.into_iter().flatten().cloned().collect(),
        })
    };
    let section = Section::new(&sources, read.hosts.iter().filter_map(row).collect());
    match &facts.cluster {
        Ok(_) => section,
        Err(why) => section.note(format!("the partitions are unknown: {why}")),
    }
}

/// The section about partitions.
pub(super) fn by_partition(facts: &Facts<'_>) -> Section<Vec<Partition>> {
    let sources = [SourceId::Logs, SourceId::Slurm];
    let read = match &facts.logs {
        Ok(logs) => &logs.read,
        Err(why) => return Section::without(&sources, why),
    };
    let cluster = match &facts.cluster {
        Ok(cluster) => cluster,
        Err(why) => {
            return Section::without(&sources, &format!("the partitions are unknown: {why}"));
        }
    };
    let mut rows: BTreeMap<&str, Partition> = BTreeMap::new();
    for (name, node) in cluster {
        let host = read.hosts.get(name);
        for name in &node.partitions {
            let row = rows.entry(name).or_insert_with(|| empty(name));
            row.nodes += 1;
            let Some(host) = host else { continue };
            row.nodes_in_logs += 1;
            row.hits.add_all(host.outcomes.hits);
            row.misses.add_all(host.outcomes.misses);
        }
    }
    let outside = read
        .hosts
        .iter()
        .filter(|(name, host)| host.outcomes != Outcomes::default() && !cluster.contains_key(*name))
        .count();
    let section = Section::new(&sources, rows.into_values().collect()).note(
        "log lines do not name the partition of a job: each row is the sum of the nodes of the \
         partition, and a node of several partitions counts for each of them",
    );
    match number(outside) {
        0 => section,
        1 => section.note("1 host with hits or misses is in no partition"),
        outside => section.note(format!("{outside} hosts with hits or misses are in no partition")),
    }
}

fn empty(name: &str) -> Partition {
    Partition {
        partition: name.to_owned(),
        nodes: 0,
        nodes_in_logs: 0,
        hits: Default::default(),
        misses: Default::default(),
    }
}
