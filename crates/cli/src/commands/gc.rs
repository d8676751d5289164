//! `sifcache gc`: removes images by age, last use, total size or fill level.

use crate::cache::eviction::linked::{self, Grace};
use crate::cache::eviction::proof::{self, Wanted};
use crate::cache::eviction::{self, Need};
use crate::cache::fill_level::{FillLevel, Marks};
use crate::cache::removal::Removal;
use crate::cache::removal::all::Manner;
use crate::cache::runs::{Begun, Command};
use crate::cache::select::{self, Filter, Inventory};
use crate::cache::store::scan::Image;
use crate::cache::store::{self, retention};
use crate::cache::usage_from_logs;
use crate::error::Failure;
use crate::events::logs;
use crate::exit::Exit;
use crate::options::{Change, Site};
use crate::site;
use crate::system::hostlist;
use crate::ui::format;
use crate::ui::output;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use sifcache_core::settings::Settings;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Remove images by age, last use, total size or fill level
///
/// Removes images that match all given conditions; with --max-size or --fill-level, only as many of
/// those as needed, least recently used first. As with `remove`, the files are still kept for the
/// time given with --keep. Every run also deletes leftovers of killed commands, and kept files
/// whose time has expired.
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
    /// If more than HIGH of the file system's space or inodes is used, remove images until LOW is
    /// reached: 90%:80%. Files that are still kept count as free
    #[arg(long, value_name = "HIGH:LOW", value_parser = Marks::parse)]
    fill_level: Option<Marks>,
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
  Every night, if more than 90 % of the file system is used, down to 80 %:
      sifcache gc --unused-for 30d --fill-level 90%:80% --yes
  Only delete leftovers of killed commands and expired kept files:
      sifcache gc

Exit status:
   0  done, even if there was nothing to do, or if another command has just replaced an image,
      which then stays
   1  the removal was not confirmed, so nothing has changed; or a view is not current
  64  wrong usage, or --yes is missing and there is no terminal to confirm on
  69  the logs of some node do not cover the time of --unused-for, or of --link-grace with pull=link
  73  something cannot be written
  77  not permitted
  78  the site's settings are invalid or missing, or the image root does not exist

The JSON object is described in docs/json.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Gc) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let root = site::target(&settings, args.change.into.as_deref())?;
    let begun = Begun::now(&root, Command::Gc);
    let result = collect(args, &settings, &root);
    if args.manner.dry_run { result } else { begun.end(result) }
}

fn collect(args: &Gc, settings: &Settings, root: &PathBuf) -> Result<Exit, Failure> {
    store::require(root)?;
    let mut inventory = select::inventory(settings, root)?;
    usage_from_logs::learn(&args.logs, [(root, &mut inventory.usage)].into_iter())?;
    let removals = choose(args, settings, &inventory, Timestamp::now())?;
    let exit = args.manner.remove(settings, root, removals, args.change.keep)?;
    if !args.manner.json {
        output::print(&still_kept(root))?;
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
    let is_limited = args.max_size.is_some() || args.fill_level.is_some();
    if args.older_than.is_none() && args.unused_for.is_none() && !is_limited {
        return Ok(Vec::new());
    }
    let filter =
        Filter { repository: args.repo.clone(), older_than: args.older_than, larger_than: None };
    let unused = args.unused_for.map(|age| now.checked_sub(age).unwrap_or(Timestamp::MIN));
    if let Some(since) = unused {
        require_logs(args, inventory, "--unused-for", since, now)?;
    }
    let takes = |image: &Image| {
        filter.takes(image, now)
            && unused.is_none_or(|since| eviction::last_use(inventory, image) < since)
    };
    let mut need = need(args, inventory)?;
    let mut grace = Grace::new(inventory, args.link_grace, now);
    let mut chosen = Vec::new();
    for image in eviction::candidates(inventory, takes) {
        if need.is_some_and(Need::is_met) {
            break;
        }
        if !grace.keeps(image) {
            need = need.map(|need| need.after(image));
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

/// How much has to be freed for --max-size and --fill-level; `None` without these options, where
/// all images that match are removed.
///
/// # Errors
/// The file system does not answer.
fn need(args: &Gc, inventory: &Inventory) -> Result<Option<Need>, Failure> {
    let size: u64 = inventory.images.iter().map(|image| image.size).sum();
    let of_size = args.max_size.map(|most| Need { bytes: size.saturating_sub(most), inodes: 0 });
    let of_level = args.fill_level.map(|marks| level(&inventory.root, marks)).transpose()?;
    Ok(match (of_size, of_level) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    })
}

/// How much has to be freed for --fill-level. Kept files do not count as used, because they will be
/// deleted anyway. Otherwise each run would remove more images until the first kept file is
/// deleted.
fn level(root: &Path, marks: Marks) -> Result<Need, Failure> {
    let mut level = FillLevel::of(root).map_err(|error| Failure::read(root, error))?;
    let kept = retention::size(root);
    level.space.used = level.space.used.saturating_sub(kept.bytes);
    level.inodes.used = level.inodes.used.saturating_sub(kept.inodes);
    Ok(Need { bytes: level.space.excess(marks), inodes: level.inodes.excess(marks) })
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
    let wanted = Wanted {
        option,
        since,
        // With --root, the cluster may use another root.
        of_cluster: args.site.root.is_none(),
        without: &without,
        without_option: "--without-nodes",
    };
    proof::require(inventory, &wanted, now).map_err(Failure::NoEvidence)
}

/// The nodes of a list; only Slurm can expand brackets.
fn hosts(list: &str) -> Result<BTreeSet<String>, Failure> {
    let names: BTreeSet<String> = match list.contains('[') {
        true => hostlist::expand(list)?,
        false => list.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    Ok(names.iter().map(|name| logs::host_name(name)).collect())
}

fn still_kept(root: &Path) -> String {
    let kept = retention::list(root);
    match kept.iter().map(|(_, until)| *until).min() {
        None => String::new(),
        Some(next) => {
            format!("{} kept; the next is deleted on {}\n", kept.len(), format::day(next))
        }
    }
}
