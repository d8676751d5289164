//! Records which periods the logs of each node cover, and which nodes use the cache. Without these
//! data, no image can be called unused.

use super::coverage::{self, Span, Spans};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of nodes, more than any cluster has.
const MOST: usize = 1 << 17;

/// The data of one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    /// The times covered by logs that have lines of the plugin.
    #[serde(default)]
    pub(crate) spans: Spans,
    /// Later times covered by logs without such lines; the next log may confirm them.
    #[serde(default, skip_serializing_if = "Spans::is_empty")]
    pub(crate) silent: Spans,
    /// The time of the last line of the plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) used: Option<Timestamp>,
}

/// The data of all nodes, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Evidence(BTreeMap<String, Node>);

/// Why no image can be called unused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gap {
    /// No log has a line of the plugin.
    Nothing,
    /// No log has a line of the plugin after this time.
    Silent(Timestamp),
    /// There is no log of these nodes.
    NoLog(Vec<String>),
    /// The logs of these nodes begin too late; the time is the latest one at which a log begins.
    Begins(Vec<String>, Timestamp),
    /// The logs of these nodes end too early; the time is the earliest one at which a log ends.
    Ends(Vec<String>, Timestamp),
}

impl Evidence {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.values().all(|node| node.spans.is_empty())
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(name, node)| (name.as_str(), node))
    }

    /// The data of a node, for changes. A missing node is added.
    pub(super) fn node(&mut self, name: &str) -> &mut Node {
        self.0.entry(name.to_owned()).or_default()
    }

    /// Adds the data from other logs, except for the times in `unread`. Logs without a line of the
    /// plugin are used only for nodes that have such lines in other logs.
    pub(crate) fn learn(&mut self, other: &Self, unread: &Spans) {
        let says_something = |node: &Node| !node.spans.is_empty() || node.used.is_some();
        for (name, added) in &other.0 {
            let has_room = self.0.len() < MOST;
            if !(self.0.contains_key(name) || has_room && says_something(added)) {
                continue;
            }
            let ours = self.node(name);
            ours.spans.add_all(&added.spans);
            ours.silent.add_all(&added.silent);
            ours.used = ours.used.max(added.used);
        }
        self.cut(unread);
        for node in self.0.values_mut() {
            coverage::confirm(&mut node.spans, &mut node.silent);
        }
    }

    /// Removes these times from all nodes, because an unreadable line may belong to any node.
    pub(super) fn cut(&mut self, unread: &Spans) {
        for node in self.0.values_mut() {
            node.spans.cut(unread);
            node.silent.cut(unread);
        }
    }

    /// Removes all times. Only the nodes that use the cache remain.
    pub(super) fn forget_times(&mut self) {
        for node in self.0.values_mut() {
            (node.spans, node.silent) = Default::default();
        }
    }

    /// Removes all times before this one.
    pub(super) fn forget_before(&mut self, time: Timestamp) {
        let mut hole = Spans::default();
        hole.add_wide(Span { from: Timestamp::MIN, to: time });
        self.cut(&hole);
    }

    /// Why the logs do not show which images were unused from `since` to `now`, or `None` if they
    /// do. `current` contains the nodes of the cluster, if known, and whether each can run jobs
    /// now. Nodes in `without` need no log.
    pub(crate) fn gap(
        &self,
        since: Timestamp,
        now: Timestamp,
        current: Option<&BTreeMap<String, bool>>,
        without: &BTreeSet<String>,
    ) -> Option<Gap> {
        let used = || self.0.iter().filter(|(_, node)| node.used.is_some());
        let Some(last) = used().filter_map(|(_, node)| node.used).max() else {
            return Some(Gap::Nothing);
        };
        // A node that was removed from the cluster cannot have served a job since then.
        let is_there = |name: &String| current.is_none_or(|all| all.contains_key(name));
        let can_run = |name: &String| current.and_then(|all| all.get(name)).is_none_or(|can| *can);
        let known = used().map(|(name, _)| name).filter(|name| is_there(name));
        let nodes: BTreeSet<&String> = known
            .chain(current.into_iter().flat_map(BTreeMap::keys))
            .filter(|name| can_run(name) && !without.contains(*name))
            .collect();
        let newest = |name: &String| self.0.get(name).and_then(|node| node.spans.newest());
        let names = |is: &dyn Fn(Option<Span>) -> bool| -> Vec<String> {
            let all = nodes.iter().filter(|name| is(newest(name)));
            all.map(|name| (*name).clone()).collect()
        };
        let spans = || nodes.iter().filter_map(|name| newest(name));
        let no_log = names(&|span| span.is_none());
        let begins = names(&|span| span.is_some_and(|span| span.from > since));
        let ends = names(&|span| span.is_some_and(|span| !span.leads_to(Span::at(now))));
        match () {
            () if !no_log.is_empty() => Some(Gap::NoLog(no_log)),
            () if !ends.is_empty() => {
                Some(Gap::Ends(ends, spans().map(|span| span.to).min().unwrap_or(now)))
            }
            () if !begins.is_empty() => {
                Some(Gap::Begins(begins, spans().map(|span| span.from).max().unwrap_or(now)))
            }
            () if last < since => Some(Gap::Silent(last)),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Evidence, Gap};
    use crate::events::logs::coverage::{Span, Spans};
    use jiff::Timestamp;
    use std::collections::{BTreeMap, BTreeSet};

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(number * 86_400).unwrap()
    }

    /// Builds evidence from the first and last day of each node's log, and the day of its last use
    /// of the cache.
    fn evidence(nodes: &[(&str, i64, i64, Option<i64>)]) -> Evidence {
        let mut evidence = Evidence::default();
        for (name, from, to, used) in nodes {
            let node = evidence.node(name);
            node.spans.add(Span { from: day(*from), to: day(*to) });
            node.used = used.map(day);
        }
        evidence
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn every_node_that_uses_the_cache_needs_a_log() {
        let gap = |evidence: &Evidence, current: Option<&[(&str, bool)]>, without: &[&str]| {
            let current: Option<BTreeMap<String, bool>> = current
                .map(|all| all.iter().map(|(name, can)| ((*name).to_owned(), *can)).collect());
            let without: BTreeSet<String> = names(without).into_iter().collect();
            evidence.gap(day(20), day(40), current.as_ref(), &without)
        };
        let one = evidence(&[("n1", 1, 40, Some(39))]);
        assert_eq!(gap(&one, None, &[]), None);
        assert_eq!(gap(&Evidence::default(), None, &[]), Some(Gap::Nothing));
        assert_eq!(gap(&evidence(&[("n1", 1, 40, None)]), None, &[]), Some(Gap::Nothing));
        let silent = evidence(&[("n1", 1, 40, Some(19))]);
        assert_eq!(gap(&silent, None, &[]), Some(Gap::Silent(day(19))));
        // A node whose log ends early, one whose log begins late, and one without plugin lines.
        let two = evidence(&[("n1", 1, 40, Some(39)), ("n2", 1, 30, Some(29))]);
        assert_eq!(gap(&two, None, &[]), Some(Gap::Ends(names(&["n2"]), day(30))));
        assert_eq!(gap(&two, None, &["n2"]), None);
        let late = evidence(&[("n1", 1, 40, Some(39)), ("n2", 30, 40, Some(29))]);
        assert_eq!(gap(&late, None, &[]), Some(Gap::Begins(names(&["n2"]), day(30))));
        let idle = evidence(&[("n1", 1, 40, Some(39)), ("login", 30, 40, None)]);
        assert_eq!(gap(&idle, None, &[]), None);
        // The nodes of the cluster are known.
        assert_eq!(
            gap(&one, Some(&[("n1", true), ("n2", true)]), &[]),
            Some(Gap::NoLog(names(&["n2"])))
        );
        assert_eq!(gap(&one, Some(&[("n1", true), ("n2", true)]), &["n2"]), None);
        assert_eq!(gap(&one, Some(&[("n1", true), ("n2", false)]), &[]), None);
        assert_eq!(gap(&two, Some(&[("n1", true)]), &[]), None);
    }

    #[test]
    fn logs_without_plugin_lines_need_confirmation() {
        let silent = |name: &str| {
            let mut evidence = Evidence::default();
            evidence.node(name).silent.add(Span { from: day(30), to: day(34) });
            evidence
        };
        let mut known = evidence(&[("n1", 1, 30, Some(29))]);
        known.learn(&silent("login1"), &Spans::default());
        assert_eq!(known.nodes().count(), 1);
        known.learn(&silent("n1"), &Spans::default());
        assert_eq!(known.node("n1").spans.newest().unwrap().to, day(30));
        known.learn(&evidence(&[("n1", 34, 35, Some(34))]), &Spans::default());
        let newest = known.node("n1").spans.newest().unwrap();
        assert_eq!((newest.from, newest.to), (day(1), day(35)));
    }

    #[test]
    fn unreadable_lines_leave_a_gap() {
        let mut known = evidence(&[("n1", 1, 30, Some(29)), ("n2", 1, 30, None)]);
        let mut unread = Spans::default();
        unread.add(Span::unread(day(31)));
        known.learn(&evidence(&[("n1", 30, 32, Some(29))]), &unread);
        known.learn(&evidence(&[("n1", 32, 40, Some(39))]), &Spans::default());
        let newest = known.node("n1").spans.newest().unwrap();
        assert_eq!((newest.from, newest.to), (day(32), day(40)));
        // A readable log of the same period closes the gap.
        known.learn(&evidence(&[("n1", 29, 33, Some(29))]), &Spans::default());
        let newest = known.node("n1").spans.newest().unwrap();
        assert_eq!((newest.from, newest.to), (day(1), day(40)));
    }
}
