//! Unused images.

use super::Facts;
use super::holdings::Held;
use crate::cache::eviction::proof::{self, Wanted};
use crate::cache::image_name;
use crate::report::data::cache::{Unused, UnusedImage};
use crate::report::data::source::SourceId;
use crate::report::data::{List, Section, number};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

/// The option of `gc` that the section is about.
const OPTION: &str = "--unused-for";

/// The note about image roots whose images are not part of the section.
const NOT_READ: &str =
    "nothing is known about the images in these image roots, which could not be read:";

/// The section about unused images.
pub(super) fn section(facts: &Facts<'_>) -> Section<Unused> {
    let sources = [SourceId::Roots, SourceId::Logs, SourceId::LastUsed];
    let settings = match &facts.settings {
        Ok(settings) => settings,
        Err(why) => return Section::without(&sources, why),
    };
    let unread: Vec<&Held> = facts.holdings.unread().collect();
    if !unread.is_empty() && unread.len() == facts.holdings.roots.len() {
        return Section::without(&sources, "no image root could be read");
    }
    let mut section = Section::new(&sources, unused(facts));
    if !unread.is_empty() {
        let paths: Vec<_> = unread.iter().map(|root| root.path.to_string_lossy()).collect();
        section = section.note(format!("{NOT_READ} {}", paths.join(", ")));
    }
    match settings.pull {
        sifcache_core::settings::Pull::Link => section.note(
            "gc does not remove images to which a pull of a user linked within the last 30 days",
        ),
        _ => section,
    }
}

/// The unused images of all roots.
fn unused(facts: &Facts<'_>) -> Unused {
    let (age, text) = facts.wanted.unused_for;
    let since = facts.now.checked_sub(age).unwrap_or(Timestamp::MIN);
    let cluster = cluster(facts);
    let mut all: Vec<(&Held, usize, Timestamp)> = Vec::new();
    let (mut commands, mut unproven) = (Vec::new(), None);
    for root in &facts.holdings.roots {
        let before = all.len();
        let last_use = |(index, image): (usize, super::holdings::Facts)| {
            let used = root.last_used(index);
            (root, index, used.map_or(image.added, |used| used.max(image.added)))
        };
        all.extend(root.images().map(last_use).filter(|(.., used)| *used < since));
        if all.len() > before {
            commands.push(command(facts, root, text));
            unproven = unproven.or(gap(root, since, cluster.as_ref(), facts.now));
        }
    }
    // The sort is stable, so equal times remain in alphabetical order.
    all.sort_by_key(|(.., used)| *used);
    let shown = all.iter().take(facts.wanted.top);
    let rows = shown.filter_map(|(root, index, _)| row(root, *index)).collect();
    Unused {
        unused_for: text.to_owned(),
        images: number(all.len()),
        bytes: all.iter().map(|(root, index, _)| root.size(*index)).sum(),
        unproven,
        commands,
        list: List { total: number(all.len()), rows },
    }
}

/// The nodes that need logs, and whether each is up. With `--root`, the cluster may use another
/// image root.
fn cluster(facts: &Facts<'_>) -> Option<BTreeMap<String, bool>> {
    let cluster = facts.cluster.as_ref().ok().filter(|_| facts.wanted.site.root.is_none())?;
    Some(cluster.iter().map(|(name, node)| (name.clone(), node.is_up)).collect())
}

/// Why the logs do not prove that images of this root were not used.
fn gap(
    root: &Held,
    since: Timestamp,
    cluster: Option<&BTreeMap<String, bool>>,
    now: Timestamp,
) -> Option<String> {
    let without = BTreeSet::new();
    let wanted = Wanted {
        option: OPTION,
        since,
        of_cluster: cluster.is_some(),
        without: &without,
        without_option: "--without-nodes",
    };
    proof::check(&root.usage, &wanted, cluster, now).err()
}

fn command(facts: &Facts<'_>, root: &Held, age: &str) -> String {
    let words = ["--into".as_ref(), root.path.as_os_str(), OsStr::new(OPTION), age.as_ref()];
    facts.lines.with_logs("gc", &[words.as_slice(), &["--dry-run".as_ref()]].concat())
}

fn row(root: &Held, index: usize) -> Option<UnusedImage> {
    let image = root.image(index)?;
    let names: Vec<&str> = root.names(index).collect();
    let name = names.first().copied().unwrap_or_default();
    let references = image_name::references(names.iter().copied());
    Some(UnusedImage {
        reference: references.first().map_or_else(|| name.to_owned(), image_name::short),
        path: root.path.join(name).to_string_lossy().into_owned(),
        size: image.size,
        added: image.added,
        last_served: root.last_used(index),
    })
}
