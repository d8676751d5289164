//! `sifcache metrics`: counters and gauges for Prometheus.

use crate::error::Failure;
use crate::exit::Exit;
use crate::metrics::catalog;
use crate::metrics::counters::{Limits, seconds};
use crate::metrics::logs::{self, Read};
use crate::metrics::page::{Format, Page};
use crate::metrics::plugin;
use crate::metrics::replace;
use crate::metrics::roots::{self, Root};
use crate::metrics::state::{self, Loaded, Saved, State};
use crate::options::Site;
use crate::site;
use crate::system::signals;
use crate::ui::format;
use crate::ui::output;
use crate::ui::stderr;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::path::PathBuf;

/// The name of the file for node_exporter.
const NAME: &str = "sifcache.prom";

/// Print metrics for Prometheus
///
/// Prints counters of hits and misses, from the same log lines as `misses` and `hits`, and the state
/// of the image roots: images, space, unused images, the last runs of add, refresh, gc and fill.
/// With --textfile, the text is written atomically into the directory of node_exporter's textfile
/// collector. Run it every minute or so, on the one host that receives the logs of all nodes, or on
/// each node with its own log. docs/metrics.md describes all metrics.
///
/// The counters and the positions in the logs are saved in one file. Rotated logs are read to their
/// end, so each line is counted once, even if a run is killed; they must be beside the log, not in a
/// directory of logrotate's `olddir`. The first run counts only lines that are written after it,
/// unless --since is given.
///
/// No label names a user or a job, and the number of values of each label is bounded.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Metrics {
    #[command(flatten)]
    site: Site,
    /// Write the text to DIR/sifcache.prom instead of standard output
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    textfile: Option<PathBuf>,
    /// Read this log, which stays selected in later runs; by default, the journal of this host, else
    /// /var/log/syslog or /var/log/messages
    #[arg(long, value_name = "FILE", num_args = 1.., value_parser = log, conflicts_with = "no_counters")]
    log: Vec<PathBuf>,
    /// The file with the counters
    #[arg(long, value_name = "FILE", default_value = state::FILE, conflicts_with = "no_counters")]
    state: PathBuf,
    /// How far back the first run reads: 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = format::parse_age, conflicts_with = "no_counters")]
    since: Option<SignedDuration>,
    /// Read no log, and print no counters
    #[arg(long)]
    no_counters: bool,
    /// Number of references with counters of their own; the others share the label `other`. With 0,
    /// all of them do
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// Number of nodes with counters of their own; the others share the label `other`. With 0, all
    /// of them do
    #[arg(long, value_name = "N", default_value_t = 1000)]
    nodes: usize,
    /// Count an image as unused if it served no job for this long
    #[arg(long, value_name = "TIME", default_value = "60d", value_parser = format::parse_age)]
    unused_for: SignedDuration,
    /// Print OpenMetrics instead of Prometheus' own text format, which promtool and node_exporter need
    #[arg(long, conflicts_with_all = ["textfile", "json"])]
    openmetrics: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  For node_exporter, every minute from a timer or cron:
      sifcache metrics --textfile /var/lib/prometheus/node-exporter
  The same on the host that has the logs of all nodes:
      sifcache metrics --textfile /var/lib/prometheus/node-exporter \\
          --log /var/log/central/slurm-nodes.log
  Without privileges, only the state of the image roots:
      sifcache metrics --no-counters
  Space that unused images take:
      sifcache metrics --no-counters --json | jq '.metrics[] | select(.name == \"sifcache_unused_bytes\")'

Exit status:
   0  success
   1  a log or an image root cannot be read, or the state file was damaged; the metrics say which
      one, and all others are there
  64  wrong usage
  73  the state file or the file of --textfile cannot be written
  74  reading the state file or plugstack.conf, or writing to standard output failed
  77  the state file or the file of --textfile may not be written
  78  the site's settings are invalid
 130  interrupted (143 after SIGTERM); nothing is counted then

The JSON object is described in docs/json.md.";

/// The JSON object.
#[derive(Serialize)]
struct Object<'a, M> {
    time: Timestamp,
    metrics: M,
    notes: &'a [String],
}

/// Parses the path of a log. Standard input has no position from which a later run could continue.
fn log(text: &str) -> Result<PathBuf, String> {
    match text {
        "-" => {
            Err("standard input has no position to continue from; name the file itself".to_owned())
        }
        "" => Err("it is empty; name a file".to_owned()),
        path => Ok(path.into()),
    }
}

/// Runs the subcommand.
pub(crate) fn run(args: &Metrics) -> Result<Exit, Failure> {
    let settings = site::settings_if_any(&args.site)?;
    signals::watch()?;
    let roots = settings.as_ref().map(roots::ask).unwrap_or_default();
    let mut page = Page::default();
    let mut notes = Vec::new();
    // Locked until the text is written. Otherwise a run that is overtaken by another one could write
    // its smaller counters last.
    let _state = match args.no_counters {
        true => None,
        false => Some(count(args, &roots, &mut page, &mut notes)?),
    };
    let now = Timestamp::now();
    notes.extend(roots::show(&mut page, &roots, args.unused_for, now));
    page.add(&catalog::BUILD, &[env!("CARGO_PKG_VERSION")], 1_u64);
    if let Some(release) = plugin::release(args.site.plugstack.as_deref()) {
        page.add(&catalog::PLUGIN, &[&release], 1_u64);
    }
    page.add(&catalog::WRITTEN, &[], seconds(now));
    signals::check()?;
    write(args, &page, &notes, now)?;
    Ok(if notes.is_empty() { Exit::OK } else { Exit::PROBLEMS })
}

fn write(args: &Metrics, page: &Page, notes: &[String], now: Timestamp) -> Result<(), Failure> {
    if args.json {
        return output::json(&Object { time: now, metrics: page.json(), notes });
    }
    notes.iter().for_each(|note| stderr::message(note));
    match &args.textfile {
        Some(directory) => {
            let text = page.text(Format::Prometheus);
            replace::replace_alone(&directory.join(NAME), text.as_bytes(), 0o644)
        }
        None if args.openmetrics => output::lines(page.text(Format::OpenMetrics).lines()),
        None => output::lines(page.text(Format::Prometheus).lines()),
    }
}

/// Counts the new lines of the logs, saves the counters, and adds their samples. Returns the state
/// file, which is still locked.
fn count(
    args: &Metrics,
    roots: &[Root],
    page: &mut Page,
    notes: &mut Vec<String>,
) -> Result<State, Failure> {
    let limits = Limits { nodes: args.nodes, references: args.top };
    let now = Timestamp::now();
    let state = State::lock(&args.state)?;
    let mut since = None;
    let mut saved = match state.load()? {
        Loaded::Saved(saved) => *saved,
        Loaded::Nothing => {
            since = args.since;
            Saved::new(now)
        }
        Loaded::Damaged(message) => {
            notes.push(message);
            Saved::new(now)
        }
    };
    let begin = since.and_then(|since| now.checked_sub(since).ok()).unwrap_or(now);
    saved.counters.limit(limits);
    let read = logs::read(&mut saved, &args.log, begin, limits)?;
    add_sizes(&mut saved, roots, &read);
    // Saved before it is shown, so that no counter ever goes back.
    state.save(&saved)?;
    saved.counters.show(page);
    page.add(&catalog::COUNTED_SINCE, &[], seconds(saved.start));
    for (log, is_read) in &read.logs {
        page.add(&catalog::LOG_READABLE, &[log], *is_read);
    }
    notes.extend(read.notes);
    Ok(state)
}

fn add_sizes(saved: &mut Saved, roots: &[Root], read: &Read) {
    for (image, hits) in &read.hits {
        saved.counters.add_size(roots::size(roots, image), *hits);
    }
}
