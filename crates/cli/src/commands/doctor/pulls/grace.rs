//! Checks whether `gc` has the logs of pulls: without them, it removes no image to which files of
//! users can link.

use super::super::finding::Finding;
use super::super::host::Host;
use crate::cache::store::STATE;
use crate::cache::usage::UsageIndex;
use crate::events::logs;
use crate::events::logs::evidence::Gap;
use crate::system::nodes;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

/// The default of `gc --link-grace`.
const GRACE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Checks the logs that `hits` has saved in this image root.
pub(super) fn check(host: &Host, root: &Path) -> Finding {
    let (name, path) = (escape_for_terminal(root), host.path(root));
    if let Err(error) = File::open(path.join(STATE).join("last_used.json"))
        && error.kind() != ErrorKind::NotFound
    {
        let why = format!("{name}: the saved logs cannot be read: {error}");
        return Finding::skipped("link-grace", why);
    }
    let now = Timestamp::now();
    let since = now.checked_sub(GRACE).unwrap_or(Timestamp::MIN);
    let usage = UsageIndex::load(&path);
    let gap = usage.evidence().gap(since, now, nodes(host).as_ref(), &BTreeSet::new());
    let Some(gap) = gap else {
        let message = format!("{name}: `sifcache gc` has the logs of pulls of the last 30 days");
        return Finding::ok("link-grace", message);
    };
    let message = format!(
        "{name}: {}, so `sifcache gc` removes no image to which files of users can link",
        describe(&gap)
    );
    let finding = match gap {
        // This gap closes by itself as the saved logs grow.
        Gap::Begins(..) => Finding::note("link-grace", message),
        _ => Finding::warn("link-grace", message),
    };
    finding.advice("run `sifcache hits` every day, with the logs of all nodes: docs/logs.md")
}

/// The nodes of the cluster, if Slurm lists them, and whether each is up.
fn nodes(host: &Host) -> Option<BTreeMap<String, bool>> {
    let nodes = nodes::nodes(&*host.processes).ok()?;
    Some(nodes.into_iter().map(|(name, is_up)| (logs::host_name(&name), is_up)).collect())
}

fn describe(gap: &Gap) -> String {
    let some = |names: &[String]| {
        let first = names.first().map(|name| escape_for_terminal(Path::new(name)));
        let first = first.unwrap_or_default();
        match names.len() {
            1 => first,
            count => format!("{first} and {} more", count - 1),
        }
    };
    match gap {
        Gap::Nothing => "`sifcache hits` has saved no logs".to_owned(),
        Gap::NoLog(names) => format!("there is no log of {}", some(names)),
        Gap::Begins(names, begin) => {
            format!("the log of {} begins on {}", some(names), format::day(*begin))
        }
        Gap::Ends(names, end) => {
            format!("the log of {} ends on {}", some(names), format::day(*end))
        }
        Gap::Silent(last) => {
            format!("the last line of sifcache in the logs is from {}", format::day(*last))
        }
    }
}
