//! `sifcache report`: what the cache holds, what it was used for, and what is wrong.

use crate::error::Failure;
use crate::events::period::Period;
use crate::exit::Exit;
use crate::options::Site;
use crate::report::collect::{self, Collected, Wanted};
use crate::report::{file, page, text};
use crate::ui::format;
use crate::ui::output;
use clap::Args;
use jiff::SignedDuration;
use std::path::{Path, PathBuf};

/// Report on the cache and its use: a page for people, or JSON
///
/// Shows what the image roots hold and how that grew; hits and misses by day, node and partition;
/// bytes that were not downloaded; the images that served most commands; requested images that are
/// missing, and why; unused images; and problems, each with the command that fixes it. Every figure
/// names its source.
///
/// Reads the image roots, the same log lines as `hits` and `misses`, and Slurm's `sinfo`. Changes
/// nothing except for the file of --html. What cannot be read is left out, and the report says so.
/// Run it as root on the host that has the logs of all nodes: for other users, `verify` cannot
/// check all files.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Report {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    period: Period,
    /// Write one HTML page to this file, which is replaced atomically; - is standard output. The
    /// page needs no other files and no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print JSON, with the same data as the page
    #[arg(long)]
    json: bool,
    /// List at most this many images, references and problems of one kind; all of them are counted.
    /// With 0, only the counts are shown
    #[arg(long, value_name = "N", default_value_t = 100)]
    top: usize,
    /// Report images that served no command for this long as unused: 60d, 8w, 1y
    #[arg(long, value_name = "TIME", default_value = "60d", value_parser = Age::parse)]
    unused_for: Age,
}

/// A duration, and how the user wrote it.
#[derive(Debug, Clone)]
struct Age {
    duration: SignedDuration,
    text: String,
}

impl Age {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { duration: format::parse_age(text)?, text: text.to_owned() })
    }
}

const EXAMPLES: &str = "\
Examples:
  The last three months, as a page:
      sifcache report --since 90d --log /var/log/central/slurm-nodes.log* --html report.html
  Every night, from cron, into a directory of a web server:
      sifcache report --log /var/log/central/slurm-nodes.log* --html /var/www/sifcache.html
  A summary of this host:
      sifcache report
  The launches of each day, in a script:
      sifcache report --json | jq -r '.days.data[] | \"\\(.day) \\(.hits.launches)\"'
  What is wrong, and what to do:
      sifcache report --json | jq -r '.problems.data[] | \"\\(.subject): \\(.what): \\(.command)\"'

Exit status:
   0  success, even if the report lists problems
  64  wrong usage
  65  a file of --log is not a readable log
  69  there are neither settings nor a log that can be read
  73  the file of --html cannot be written
  74  reading failed; a log that could be read in part is in the report, as a problem
  77  the file of --html may not be written
  78  the site's settings are invalid

The JSON object is described in docs/json.md, the figures in docs/report.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Report) -> Result<Exit, Failure> {
    let is_stdout = args.html.as_deref().is_some_and(|path| path == Path::new("-"));
    if is_stdout && args.json {
        return Err(Failure::TwoOutputs);
    }
    let Collected { report, exit } = collect::collect(&Wanted {
        site: &args.site,
        period: &args.period,
        top: args.top,
        unused_for: (args.unused_for.duration, &args.unused_for.text),
        quiet: args.json || is_stdout,
    })?;
    match &args.html {
        Some(_) if is_stdout => output::raw(page::render(&report).as_bytes())?,
        Some(path) => file::write(path, page::render(&report).as_bytes())?,
        None => {}
    }
    match () {
        () if args.json => output::json(&report)?,
        () if args.html.is_none() => output::print(&text::summary(&report))?,
        () => {}
    }
    Ok(exit)
}
