//! `sifcache misses`: the references that jobs requested but did not find.

use crate::cache::image_name;
use crate::cache::lookup;
use crate::error::Failure;
use crate::events::aggregate::{self, Count, Wanted, Which};
use crate::events::count::Commands;
use crate::events::event::Event;
use crate::events::logs::read::Unread;
use crate::events::logs::source::{Failed, Skipped};
use crate::exit::Exit;
use crate::site;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output::{self, Align, Table};
use crate::ui::stderr;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;

/// List references that jobs requested but that were not in the cache
///
/// Reads the lines that the plugin and the shim write to syslog on each node. If there is a central
/// log of all nodes, pass it with --log; by default, only the log of this host is read (its journal
/// or /var/log/syslog). References that are now in the cache are omitted.
///
/// LAUNCHES, PULLS and BUILDS count the commands that requested the reference: starts of
/// containers, pulls into files, and builds. JOBS and USERS cover all three.
///
/// Every user can write such lines to syslog, so check the list before you add its references.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Misses {
    #[command(flatten)]
    which: Which,
    /// Also list references that are now in the cache
    #[arg(long)]
    all: bool,
    /// Print only the references, one per line, as input for `add --from -`
    #[arg(long, conflicts_with = "json")]
    refs: bool,
}

const EXAMPLES: &str = "\
Examples:
  References to add next:
      sifcache misses --since 30d --log /var/log/central/slurm-nodes.log*
  Add the references that at least three users requested:
      sifcache misses --min-users 3 --refs | sifcache add --from -
  On one node, from its journal:
      srun -w n17 sifcache misses --since 1d

Exit status:
   0  success, even if no miss was found
  64  wrong usage
  65  a file is not a readable log
  69  this host has no log that can be read
  74  reading or writing failed; the lines of the logs that could be read were counted
  78  the site's settings are invalid, or no directory of --root exists

The JSON object is described in docs/json.md.";

#[derive(Serialize)]
struct Refused {
    path: String,
    reason: String,
}

/// One reference.
#[derive(Serialize)]
struct Row {
    reference: String,
    #[serde(flatten)]
    commands: Commands,
    jobs: usize,
    users: usize,
    last: Timestamp,
    /// The path where the image is now found, if it has been added in the meantime.
    present: Option<String>,
    refused: Vec<Refused>,
}

/// The JSON object.
#[derive(Serialize)]
struct Object<'a> {
    misses: Vec<Row>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    forged: u64,
    future: u64,
    unread: &'a Unread,
    skipped: &'a [Skipped],
    failed: &'a [Failed],
}

/// Runs the subcommand.
pub(crate) fn run(args: &Misses) -> Result<Exit, Failure> {
    let settings = site::settings_if_any(&args.which.site)?;
    if let Some(settings) = &settings {
        site::require_given(&args.which.site, settings)?;
    }
    let missed = |event: &Event| event.image.is_none().then(|| image_name::short(&event.reference));
    let wanted = Wanted { key: &missed, hits: false, sizes: None };
    let mut aggregate = aggregate::collect(&args.which, &wanted)?;
    let described = aggregate.described()?;
    let before = aggregate.counts.len();
    let here = |name: &str| present(settings.as_ref(), name);
    if !args.all {
        aggregate.counts.retain(|(name, _)| here(name).is_none());
    }
    let come = before - aggregate.counts.len();
    let left_out = aggregate.limit(&args.which);
    let (from, to) = aggregate.range();
    let rows: Vec<Row> =
        aggregate.counts.iter().map(|(name, count)| row(name, count, here(name))).collect();
    match () {
        () if args.which.json => {
            let read = &aggregate.read;
            output::json(&Object {
                misses: rows,
                from,
                to,
                forged: read.forged,
                future: read.future.lines,
                unread: &read.unread,
                skipped: &read.skipped,
                failed: &read.failed,
            })?;
        }
        () if args.refs => {
            // Remarks go to standard error, because standard output may be the input of `add`.
            stderr::print(&aggregate.remarks());
            output::print(&references(&rows))?;
        }
        () => output::print(&page(&rows, (left_out, come), &described, &aggregate.remarks()))?,
    }
    Ok(aggregate.exit())
}

fn present(settings: Option<&Settings>, name: &str) -> Option<String> {
    let reference = Reference::parse_printed(name.as_bytes()).ok()?;
    Some(lookup::find(settings?, &reference)?.to_string_lossy().into_owned())
}

fn row(name: &str, count: &Count, present: Option<String>) -> Row {
    let refused = count.refused.iter().map(|(path, refusal)| Refused {
        path: path.to_string_lossy().into_owned(),
        reason: refusal.why.clone(),
    });
    Row {
        reference: name.to_owned(),
        commands: count.commands,
        jobs: count.jobs(),
        users: count.users(),
        last: count.last,
        present,
        refused: refused.collect(),
    }
}

fn references(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}\n", row.reference)).collect()
}

fn page(rows: &[Row], (left_out, come): (usize, usize), read: &str, remarks: &str) -> String {
    let mut text = match (rows.is_empty(), left_out) {
        (false, _) => table(rows).text(),
        (true, 0) => "no miss was found\n".to_owned(),
        (true, _) => String::new(),
    };
    if left_out > 0 {
        text.push_str(&format!("{left_out} more are left out (--limit)\n"));
    }
    if come > 0 {
        text.push_str(&format!("{come} more are in the cache now (--all)\n"));
    }
    text.push_str(&format!("read: {read}\n{remarks}"));
    text
}

fn table(rows: &[Row]) -> Table {
    let [launches, pulls, builds] = Commands::HEADINGS;
    let mut table = Table::new(&[
        ("REFERENCE", Align::Left),
        (launches, Align::Right),
        (pulls, Align::Right),
        (builds, Align::Right),
        ("JOBS", Align::Right),
        ("USERS", Align::Right),
        ("LAST", Align::Left),
        ("NOTE", Align::Left),
    ]);
    for row in rows {
        let refused = row.refused.iter().map(|one| {
            format!(
                "{} was refused: {}",
                escape_for_terminal(one.path.as_ref()),
                escape_for_terminal(one.reason.as_ref())
            )
        });
        let present =
            row.present.iter().map(|path| format!("is {} now", escape_for_terminal(path.as_ref())));
        let [launches, pulls, builds] = row.commands.cells();
        table.row(vec![
            row.reference.clone(),
            launches,
            pulls,
            builds,
            row.jobs.to_string(),
            row.users.to_string(),
            format::minute(row.last),
            refused.chain(present).collect::<Vec<_>>().join("; "),
        ]);
    }
    table
}
