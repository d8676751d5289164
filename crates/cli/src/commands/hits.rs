//! `sifcache hits`: the images that jobs used.

use crate::cache::image_name;
use crate::cache::store::{STATE, Store};
use crate::cache::usage::UsageIndex;
use crate::error::Failure;
use crate::events::aggregate::{self, Aggregate, Count, Keyed, Wanted, Which};
use crate::events::count::Commands;
use crate::events::event::Event;
use crate::events::logs::Hits as Used;
use crate::events::logs::coverage::Span;
use crate::events::logs::read::{Read, Unread};
use crate::events::logs::source::{Failed, Skipped};
use crate::exit::Exit;
use crate::site;
use crate::system::signals;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output::{self, Align};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::path::Path;

/// List the images that served jobs
///
/// Reads the same log lines as `misses`. If you may write to the image root, the command also saves
/// there when each image last served a job, and for which nodes and times there are logs. `list`
/// shows these data and `gc` uses them, so run this command every day on the host that has the logs
/// of all nodes. Nothing is saved from a log that contains no line from the plugin, or that
/// contains unreadable lines.
///
/// LAUNCHES, PULLS and BUILDS count the commands that used the image: starts of containers, pulls
/// into files, and builds. JOBS and USERS cover all three.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Hits {
    #[command(flatten)]
    which: Which,
    /// Do not save the results
    #[arg(long)]
    no_save: bool,
}

const EXAMPLES: &str = "\
Examples:
      sifcache hits --since 30d --log /var/log/central/slurm-nodes.log*
  Every day, from cron:
      sifcache hits --log /var/log/central/slurm-nodes.log >/dev/null
  Images that workflow engines pull:
      sifcache hits --json | jq -r '.hits[] | select(.pulls > 0) | .image'
  In a script:
      sifcache hits --json | jq -r '.hits[] | \"\\(.launches) \\(.image)\"'

Exit status:
   0  success, even if no image was used
  64  wrong usage
  65  a file is not a readable log
  69  this host has no log that can be read
  74  reading or writing failed; the lines of the logs that could be read were counted
  78  the site's settings are invalid, or no directory of --root exists

The JSON object is described in docs/json.md.";

/// One image.
#[derive(Serialize)]
struct Row<'a> {
    image: &'a str,
    references: Vec<String>,
    #[serde(flatten)]
    commands: Commands,
    jobs: usize,
    users: usize,
    last: Timestamp,
}

/// A node that occurs in the logs.
#[derive(Serialize)]
struct Node<'a> {
    node: &'a str,
    /// The time spans that its log covers.
    covered: Vec<Span>,
    /// The time of the last line that the plugin wrote on this node.
    used: Option<Timestamp>,
}

/// The JSON object after the list of images.
#[derive(Serialize)]
struct End<'a> {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    nodes: Vec<Node<'a>>,
    forged: u64,
    future: u64,
    unread: &'a Unread,
    skipped: &'a [Skipped],
    failed: &'a [Failed],
    saved: bool,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Hits) -> Result<Exit, Failure> {
    let settings = site::settings_if_any(&args.which.site)?;
    if let Some(settings) = &settings {
        site::require_given(&args.which.site, settings)?;
    }
    let used = |event: &Event| Some(event.image.as_ref()?.to_string_lossy().into_owned());
    let wanted = Wanted { key: &used, hits: settings.is_some() && !args.no_save, sizes: None };
    let mut aggregate = aggregate::collect(&args.which, &wanted)?;
    let described = aggregate.described()?;
    let saved = match (&settings, args.no_save) {
        (Some(settings), false) => save(settings, &aggregate),
        _ => false,
    };
    // The memory is needed for the output.
    aggregate.hits = Used::default();
    let left_out = aggregate.limit(&args.which);
    let (from, to) = aggregate.range();
    if !args.which.json {
        page(&described, saved, left_out, &aggregate)?;
        return Ok(aggregate.exit());
    }
    let end = End {
        from,
        to,
        nodes: nodes(&aggregate.read),
        forged: aggregate.read.forged,
        future: aggregate.read.future.lines,
        unread: &aggregate.read.unread,
        skipped: &aggregate.read.skipped,
        failed: &aggregate.read.failed,
        saved,
    };
    output::json_list("hits", &aggregate.counts, &|(image, count)| row(image, count), &end)?;
    Ok(aggregate.exit())
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

/// Saves the results in every root that the caller may write to. Returns whether that succeeded for
/// at least one root and the logs contain any evidence of use. It is not an error if the caller
/// cannot write to a root, because any user may run `hits`.
fn save(settings: &Settings, aggregate: &Aggregate) -> bool {
    // From here on, signals take effect only after saving.
    let mut saved = false;
    let _ = signals::watch();
    for root in &settings.image_roots {
        let may = rustix::fs::access(root, rustix::fs::Access::WRITE_OK).is_ok();
        if may && let Ok(store) = Store::open(root, settings) {
            saved |= save_in(&store, aggregate).is_ok();
        }
    }
    saved && aggregate.read.says_something()
}

fn save_in(store: &Store, aggregate: &Aggregate) -> Result<(), Failure> {
    let _lock = store.lock(STATE, &|| ())?;
    let mut usage = UsageIndex::load(store.root());
    // If the logs contain no new information, no file is written.
    if usage.update(store.root(), &aggregate.hits, &aggregate.read) {
        usage.save(store)?;
    }
    Ok(())
}

fn row<'a>(image: &'a str, count: &Count) -> Row<'a> {
    let short =
        |text: &str| Reference::parse_printed(text.as_bytes()).ok().map(|r| image_name::short(&r));
    Row {
        image,
        references: count.references().filter_map(short).collect(),
        commands: count.commands,
        jobs: count.jobs(),
        users: count.users(),
        last: count.last,
    }
}

fn page(read: &str, saved: bool, left_out: usize, aggregate: &Aggregate) -> Result<(), Failure> {
    let [launches, pulls, builds] = Commands::HEADINGS;
    let columns = [
        ("IMAGE", Align::Left),
        (launches, Align::Right),
        (pulls, Align::Right),
        (builds, Align::Right),
        ("JOBS", Align::Right),
        ("USERS", Align::Right),
        ("LAST", Align::Left),
    ];
    let cells = |(image, count): &Keyed| {
        let [launches, pulls, builds] = count.commands.cells();
        let image = escape_for_terminal(Path::new(&**image));
        let [jobs, users] = [count.jobs(), count.users()].map(|number| number.to_string());
        [image, launches, pulls, builds, jobs, users, format::minute(count.last)]
    };
    match () {
        () if !aggregate.counts.is_empty() => {
            output::table(&columns, &aggregate.counts, &cells)?;
        }
        () if left_out > 0 => {}
        () if aggregate.read.says_something() => output::print("no image was used\n")?,
        () => output::print("no hit was found\n")?,
    }
    if left_out > 0 {
        output::print(&format!("{left_out} more are left out (--limit)\n"))?;
    }
    let remarks = aggregate.remarks();
    let saved = if saved { "; saved for `list` and `gc`" } else { "" };
    output::print(&format!("read: {read}{saved}\n{remarks}"))
}
