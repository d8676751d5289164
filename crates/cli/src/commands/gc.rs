//! `sifcache gc`: removes images by age, last use or total size.

mod linked;

use crate::cache::removal::Removal;
use crate::cache::removal::all::Manner;
use crate::cache::select::{self, Filter, Inventory};
use crate::cache::store::scan::Image;
use crate::cache::store::{path_trust, retention};
use crate::cache::usage_from_logs;
use crate::error::Failure;
use crate::events::logs;
use crate::events::logs::evidence::Gap;
use crate::exit::Exit;
use crate::options::{Change, Site};
use crate::site;
use crate::system::hostlist;
use crate::system::nodes;
use crate::system::process::Processes;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output;
use crate::ui::stderr;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use linked::Grace;
use sifcache_core::settings::Settings;
use std::collections::{BTreeMap, BTreeSet};

/// Remove images by age, last use or total size
///
/// Removes images that match all given conditions; with --max-size, only as many of those as
/// needed, least recently used first. As with `remove`, the files are still kept for the time given
/// with --keep. Every run also deletes leftovers of killed commands, and kept files whose time has
/// expired.
///
/// With pull=link, files of users link to images. An image stays for the time given with
/// --link-grace after the last pull that linked to it.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Gc {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    logs: usage_from_logs::Logs,
    /// Only images of this repository, or of all repositories below this path: determinedai
    #[arg(long, value_name = "REPOSITORY")]
    repo: Option<String>,
    /// Only images added to the cache longer ago than this: 90d, 8w, 1y
    #[arg(long, value_name = "TIME", value_parser = format::parse_age)]
    older_than: Option<SignedDuration>,
    /// Only images that served no job for this long, according to the logs; the logs must reach
    /// back that far for each node that uses the cache
    #[arg(long, value_name = "TIME", value_parser = format::parse_age)]
    unused_for: Option<SignedDuration>,
    /// Remove images until the rest fits in this size: 500G, 2T; powers of 1024
    #[arg(long, value_name = "SIZE", value_parser = format::parse_size)]
    max_size: Option<u64>,
    /// Keep images to which a pull linked within this time, according to the logs; with pull=link,
    /// the logs must reach back that far; 0d removes them, which breaks the links
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = format::parse_age)]
    link_grace: SignedDuration,
    /// Do not require logs of these nodes for --unused-for and --link-grace, because they do not
    /// use this cache or no longer exist: n1,n2 or n[1-3]
    #[arg(long, value_name = "NODES")]
    without_nodes: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

const EXAMPLES: &str = "\
Examples:
  Which images would be removed?
      sifcache gc --older-than 90d --unused-for 60d --dry-run
  The same with the logs of all nodes:
      sifcache gc --unused-for 60d --log /var/log/central/slurm* --dry-run
  Every night, down to 2 TiB:
      sifcache gc --older-than 30d --max-size 2T --yes
  Only delete leftovers of killed commands and expired kept files:
      sifcache gc

Exit status:
   0  done, even if there was nothing to do
   1  the removal was not confirmed, so nothing has changed; or a view is not current
  64  wrong usage, or --yes is missing and there is no terminal to confirm on
  69  the logs of some node do not cover the time of --unused-for, or of --link-grace with pull=link
  73  something cannot be written
  77  not permitted
  78  the site's settings are invalid or missing

The JSON object is described in docs/json.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Gc) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let root = site::target(&settings, args.change.into.as_deref())?;
    let mut inventories = vec![select::inventory(&root)?];
    usage_from_logs::learn(&args.logs, &mut inventories)?;
    let Some(inventory) = inventories.first() else { return Ok(Exit::OK) };
    let removals = choose(args, &settings, inventory, Timestamp::now())?;
    let exit = args.manner.remove(&settings, &root, removals, args.change.keep)?;
    if !args.manner.json {
        output::print(&still_kept(&root))?;
    }
    Ok(exit)
}

/// The images to remove: of those that match all conditions, the least recently used first.
///
/// # Errors
/// The logs do not cover the period in which the use of these images, or links to them, must be
/// known.
fn choose(
    args: &Gc,
    settings: &Settings,
    inventory: &Inventory,
    now: Timestamp,
) -> Result<Vec<Removal>, Failure> {
    if args.older_than.is_none() && args.unused_for.is_none() && args.max_size.is_none() {
        return Ok(Vec::new());
    }
    let filter =
        Filter { repository: args.repo.as_deref(), older_than: args.older_than, larger_than: None };
    let unused = args.unused_for.map(|age| now.checked_sub(age).unwrap_or(Timestamp::MIN));
    if let Some(since) = unused {
        require_logs(args, inventory, "--unused-for", since, now)?;
    }
    let last_use = |image: &&Image| {
        inventory.last_used(image).map_or(image.added(), |served| served.max(image.added()))
    };
    let mut images: Vec<&Image> = inventory
        .images
        .iter()
        .filter(|image| filter.takes(image, now))
        .filter(|image| unused.is_none_or(|since| last_use(image) < since))
        .filter(|image| is_safe_to_remove(inventory, image))
        .collect();
    images.sort_by_key(last_use);
    let mut size: u64 = inventory.images.iter().map(|image| image.size).sum();
    let mut grace = Grace::new(inventory, args.link_grace, now);
    let mut chosen = Vec::new();
    for image in images {
        if args.max_size.is_some_and(|most| size <= most) {
            break;
        }
        if !grace.keeps(image) {
            size -= image.size;
            chosen.push(image);
        }
    }
    let linked = |image: &&Image| linked::can_be_linked(settings, &inventory.root, image);
    if let Some(since) = grace.since.filter(|_| chosen.iter().any(linked)) {
        require_logs(args, inventory, "--link-grace", since, now)?;
    }
    grace.report();
    Ok(chosen.into_iter().map(|image| Removal::whole(inventory, image)).collect())
}

/// Whether every name of the image is in a directory where no untrusted user could replace a path
/// component. If not, the image is skipped with a message, so that the others can still be removed.
fn is_safe_to_remove(inventory: &Inventory, image: &Image) -> bool {
    let names = image.names.iter().map(|name| inventory.root.join(name));
    let reason = names.filter_map(|path| path_trust::at(path.parent()?)).next();
    if let Some(reason) = &reason {
        let title = escape_for_terminal(image.title().as_ref());
        stderr::message(&format!("{title} is not removed: {}", path_trust::describe(reason)));
    }
    reason.is_none()
}

/// Checks that the logs show each use of an image since the time that `option` needs.
///
/// # Errors
/// The logs do not cover the time since then for every node.
fn require_logs(
    args: &Gc,
    inventory: &Inventory,
    option: &str,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), Failure> {
    let without = args.without_nodes.as_deref().map(hosts).transpose()?.unwrap_or_default();
    match inventory.usage.evidence().gap(since, now, cluster(args).as_ref(), &without) {
        None => Ok(()),
        Some(gap) => Err(Failure::NoEvidence(explain(&gap, option, since))),
    }
}

/// The nodes of the cluster that the site's settings belong to, and whether each is up. `None` with
/// `--root`: only the logs show which nodes use that root.
fn cluster(args: &Gc) -> Option<BTreeMap<String, bool>> {
    if args.site.root.is_some() {
        return None;
    }
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

/// The nodes of a list; only Slurm can expand brackets.
fn hosts(list: &str) -> Result<BTreeSet<String>, Failure> {
    let names: BTreeSet<String> = match list.contains('[') {
        true => hostlist::expand(list)?,
        false => list.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    Ok(names.iter().map(|name| logs::host_name(name)).collect())
}

/// The error message for a gap in the logs, with advice.
fn explain(gap: &Gap, option: &str, since: Timestamp) -> String {
    let asked = format::day(since);
    let read = "with --log, or to `sifcache hits` every day";
    let without = |names: &[String]| {
        let all = escape_for_terminal(names.join(",").as_ref());
        format!("if they do not use this cache, are new or are gone: --without-nodes {all}")
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

fn still_kept(root: &std::path::Path) -> String {
    let kept = retention::list(root);
    match kept.iter().map(|(_, until)| *until).min() {
        None => String::new(),
        Some(next) => {
            format!("{} kept; the next is deleted on {}\n", kept.len(), format::day(next))
        }
    }
}
