//! `sifcache hits`: what jobs found.

use crate::cache::image_name;
use crate::cache::store::{STATE, Store};
use crate::cache::usage::Served;
use crate::error::{Exit, Failure};
use crate::events::aggregate::{self, Count, Tally, Which};
use crate::events::event::Event;
use crate::events::logs::coverage::Span;
use crate::events::logs::read::{Read, Unread};
use crate::events::logs::source::Skipped;
use crate::site;
use crate::system::signals;
use crate::ui::format;
use crate::ui::output::{self, Align, Table, plain};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::path::Path;

/// Tell which images served jobs
///
/// From the same lines as `misses`. Whoever may write in the image root also saves there when
/// each image last served and which times of which nodes the logs cover, so that `list` can show
/// it and `gc` can go by it: run this every day on the host that has the log of all nodes. Of a
/// log that has no line of the plugin's, or some that cannot be read, nothing is saved.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Hits {
    #[command(flatten)]
    which: Which,
    /// Save nothing
    #[arg(long)]
    no_save: bool,
}

const EXAMPLES: &str = "\
Examples:
      sifcache hits --since 30d --log /var/log/central/slurm-nodes.log*
  Every day, from cron:
      sifcache hits --log /var/log/central/slurm-nodes.log >/dev/null
  In a script:
      sifcache hits --json | jq -r '.hits[] | \"\\(.launches) \\(.image)\"'

Exit status:
   0  also if nothing was used
  64  wrong usage
  65  a file is not a readable log
  69  this host has no log that can be read
  74  reading or writing failed

The JSON object is described in docs/logs.md.";

/// One image.
#[derive(Serialize)]
struct Row {
    image: String,
    references: Vec<String>,
    launches: u64,
    jobs: usize,
    users: usize,
    last: Timestamp,
}

/// A node that the logs tell of.
#[derive(Serialize)]
struct Node<'a> {
    node: &'a str,
    /// The times that its log covers.
    covered: Vec<Span>,
    /// When it last wrote a line of the plugin's.
    used: Option<Timestamp>,
}

/// The JSON object.
#[derive(Serialize)]
struct Object<'a> {
    hits: Vec<Row>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    nodes: Vec<Node<'a>>,
    forged: u64,
    ahead: u64,
    unread: &'a Unread,
    skipped: &'a [Skipped],
    saved: bool,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Hits) -> Result<Exit, Failure> {
    let settings = site::settings_if_any(&args.which.site)?;
    let used = |event: &Event| Some(event.image.as_ref()?.to_string_lossy().into_owned());
    let mut tally = aggregate::tally(&args.which, &used)?;
    let described = tally.described()?;
    let saved = match (&settings, args.no_save) {
        (Some(settings), false) => save(settings, &tally),
        _ => false,
    };
    tally.limit(&args.which);
    let (from, to) = tally.range();
    let rows: Vec<Row> = tally.counts.iter().map(|(image, count)| row(image, count)).collect();
    match args.which.json {
        true => output::json(&Object {
            hits: rows,
            from,
            to,
            nodes: nodes(&tally.read),
            forged: tally.read.forged,
            ahead: tally.read.ahead.lines,
            unread: &tally.read.unread,
            skipped: &tally.read.skipped,
            saved,
        })?,
        false => output::print(&page(&rows, &described, saved, &tally))?,
    }
    Ok(Exit::OK)
}

fn nodes(read: &Read) -> Vec<Node<'_>> {
    let nodes = read.evidence.nodes();
    let row = |(node, known): (_, &'_ crate::events::logs::evidence::Node)| Node {
        node,
        covered: known.spans.iter().collect(),
        used: known.used,
    };
    nodes.map(row).collect()
}

/// Saves what was learned in every root that the caller may write, and says whether it says
/// something of what was used. Where there is none, it is none: any user may look at the hits.
fn save(settings: &Settings, tally: &Tally) -> bool {
    // From here on a signal waits for the end of it.
    let mut saved = false;
    let _ = signals::watch();
    for root in &settings.image_roots {
        let may = rustix::fs::access(root, rustix::fs::Access::WRITE_OK).is_ok();
        if may && let Ok(store) = Store::open(root, settings) {
            saved |= save_in(&store, tally).is_ok();
        }
    }
    saved && tally.read.says_something()
}

fn save_in(store: &Store, tally: &Tally) -> Result<(), Failure> {
    let _lock = store.lock(STATE, &|| ())?;
    let mut served = Served::load(store.root());
    let before = served.clone();
    let logs = Served::of(store.root(), &tally.hits, &tally.read);
    served.learn(&logs, &tally.read.unread.times);
    served.tidy(store.root());
    // A log that says nothing leaves nothing behind.
    if served != before {
        served.save(store)?;
    }
    Ok(())
}

fn row(image: &str, count: &Count) -> Row {
    let short =
        |text: &String| Reference::parse(text.as_bytes()).ok().map(|r| image_name::short(&r));
    Row {
        image: image.to_owned(),
        references: count.references.iter().filter_map(short).collect(),
        launches: count.launches,
        jobs: count.jobs(),
        users: count.users(),
        last: count.last,
    }
}

fn page(rows: &[Row], read: &str, saved: bool, tally: &Tally) -> String {
    let mut table = Table::new(&[
        ("IMAGE", Align::Left),
        ("LAUNCHES", Align::Right),
        ("JOBS", Align::Right),
        ("USERS", Align::Right),
        ("LAST", Align::Left),
    ]);
    for row in rows {
        table.row(vec![
            plain(Path::new(&row.image)),
            row.launches.to_string(),
            row.jobs.to_string(),
            row.users.to_string(),
            format::minute(row.last),
        ]);
    }
    let mut text = match () {
        () if !rows.is_empty() => table.text(),
        () if tally.read.says_something() => "no image was used\n".to_owned(),
        () => "no hit was found\n".to_owned(),
    };
    let remarks = tally.remarks();
    let saved = if saved { "; saved for `list` and `gc`" } else { "" };
    text.push_str(&format!("read: {read}{saved}\n{remarks}"));
    text
}
