//! Whether the logs show each use of an image since some time.

use crate::cache::select::Inventory;
use crate::cache::usage::UsageIndex;
use crate::events::logs;
use crate::events::logs::evidence::Gap;
use crate::system::nodes;
use crate::system::process::Processes;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::stderr;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What the logs have to show, and the words of the message if they do not.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// The option or the key that needs the records.
    pub(crate) option: &'a str,
    /// They have to begin at this time.
    pub(crate) since: Timestamp,
    /// Whether the nodes that Slurm lists need logs too. Otherwise only the logs show which nodes
    /// use the cache.
    pub(crate) of_cluster: bool,
    /// The nodes that need no log.
    pub(crate) without: &'a BTreeSet<String>,
    /// The option or the key for such nodes.
    pub(crate) without_option: &'a str,
}

/// Checks that the logs show each use of an image.
///
/// # Errors
/// The logs do not cover the time for every node; the message says which, and what to do.
pub(crate) fn require(
    inventory: &Inventory,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<(), String> {
    let cluster = if wanted.of_cluster { cluster() } else { None };
    check(&inventory.usage, wanted, cluster.as_ref(), now)
}

/// Like [`require`], with the nodes of the cluster, if they are known, and whether each is up.
///
/// # Errors
/// The logs do not cover the time for every node; the message says which, and what to do.
pub(crate) fn check(
    usage: &UsageIndex,
    wanted: &Wanted<'_>,
    cluster: Option<&BTreeMap<String, bool>>,
    now: Timestamp,
) -> Result<(), String> {
    match usage.evidence().gap(wanted.since, now, cluster, wanted.without) {
        None => Ok(()),
        Some(gap) => Err(explain(&gap, wanted)),
    }
}

/// The nodes of the cluster that the site's settings belong to, and whether each is up.
fn cluster() -> Option<BTreeMap<String, bool>> {
    let nodes = nodes::nodes(&Processes);
    if let Err(why) = &nodes {
        stderr::message(&format!(
            "cannot list the nodes of the cluster ({why}): checking only the nodes that the logs \
             name"
        ));
    }
    let normal = |(name, is_up): (String, bool)| (logs::host_name(&name), is_up);
    nodes.ok().map(|nodes| nodes.into_iter().map(normal).collect())
}

/// The error message for a gap in the logs, with advice.
fn explain(gap: &Gap, wanted: &Wanted<'_>) -> String {
    let (option, asked) = (wanted.option, format::day(wanted.since));
    let read = "with --log, or to `sifcache hits` every day";
    let without = |names: &[String]| {
        let all = escape_for_terminal(names.join(",").as_ref());
        let exempt = wanted.without_option;
        format!("if they do not use this cache, are new or are gone: {exempt} {all}")
    };
    match gap {
        Gap::Nothing => format!(
            "there are no records of image use, and {option} needs them since {asked}: give \
             the logs of all nodes {read}"
        ),
        Gap::Silent(last) => format!(
            "the last line of sifcache in the logs is from {}, and {option} needs records \
             since {asked}: later use of images is unknown; check whether the nodes still log hits and \
             misses (`sifcache doctor`)",
            format::day(*last)
        ),
        Gap::NoLog(names) => format!(
            "there is no log of {}, where jobs may use the cache: give their logs {read}; {}",
            some(names),
            without(names)
        ),
        Gap::Begins(names, begin) => format!(
            "records of image use begin on {} (node {}), and {option} needs records since \
             {asked}: give older logs with --log; {}",
            format::day(*begin),
            some(names),
            without(names)
        ),
        Gap::Ends(names, end) => format!(
            "records of image use end on {} (node {}): give newer logs of these nodes \
             {read}; {}",
            format::day(*end),
            some(names),
            without(names)
        ),
    }
}

/// The first few names, for a message.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let first: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| {
            if name.is_empty() {
                "without a name".into()
            } else {
                escape_for_terminal(name.as_ref())
            }
        })
        .collect();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
