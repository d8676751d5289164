//! `sifcache list`: lists the images in the cache.

mod digest;
mod entry;
mod foreign;
mod missing;
mod roots;
mod start;
mod words;

use crate::cache::select::Filter;
use crate::cache::usage_from_logs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::{REFERENCE, Site};
use crate::site;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output::{self, Align};
use crate::ui::stderr;
use clap::Args;
use entry::{Entry, Listed};
use jiff::{SignedDuration, Timestamp};
use missing::Missing;
use rayon::prelude::*;
use roots::{Failed, Roots};
use serde::Serialize;
use sifcache_core::layout::ForeignRoot;
use sifcache_core::settings::Settings;
use start::Runtime;
use std::path::PathBuf;
use words::Words;

/// List the images in the cache, or find those with a word in their name
///
/// Each file is shown on one line, with all of its names. The digest and the source are known for
/// images that were added with `add` or `import`. The time when an image last served a job is known
/// if `sifcache hits` has read the logs, or with --log.
///
/// With WORDs, only images are listed that have all of them in one of their names, regardless of
/// case. The last line of the output is the command line that starts the first of these images.
/// Users need no special permissions.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct List {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    logs: usage_from_logs::Logs,
    /// Only images of this repository, or of all repositories below this path: determinedai
    #[arg(long, value_name = "REPOSITORY")]
    repo: Option<String>,
    /// Only images added to the cache longer ago than this: 90d, 8w, 1y
    #[arg(long, value_name = "TIME", value_parser = format::parse_age)]
    older_than: Option<SignedDuration>,
    /// Only images larger than this: 300M, 5G; powers of 1024
    #[arg(long, value_name = "SIZE", value_parser = format::parse_size)]
    larger_than: Option<u64>,
    /// Sort order
    #[arg(long, value_enum, default_value = "name")]
    sort: Sort,
    /// Print only the references, one per line, as input for `add --from`
    #[arg(long, conflicts_with_all = ["json", "commands"])]
    refs: bool,
    /// Print only the command lines that start the images, one per line
    #[arg(long, conflicts_with = "json")]
    commands: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Only images with all of these words in one name: pytorch 2.4, docker://o/i, sha256:0f3e
    #[arg(value_name = "WORD", value_hint = REFERENCE)]
    words: Vec<String>,
}

/// `--sort`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    Name,
    /// Largest first
    Size,
    /// Oldest first
    Age,
    /// Least recently used first
    #[value(alias = "served")]
    Used,
}

const EXAMPLES: &str = "\
Examples:
  Everything:
      sifcache list
  Images with a word in their name, and what to type:
      sifcache list pytorch
      sifcache list pytorch cuda12
      sifcache list --commands samtools
  The largest images:
      sifcache list --sort size --larger-than 5G
  Old images of one repository:
      sifcache list --repo determinedai --older-than 90d
  A list for filling the cache of another cluster:
      sifcache list --refs >images.txt
  In a script:
      sifcache list --json | jq -r '.images[] | select(.digests == []) | .path'

Exit status:
   0  success; without WORDs, even if there are no images
   1  no image has all WORDs in its name and meets the filters
  64  wrong usage
  74  reading or writing failed; the images of the other image roots were listed
  78  the site's settings are invalid or missing, or no image root exists

The JSON object is described in docs/json.md.";

/// The maximum number of directories that are named because the caller may not read them.
const MAX_CLOSED: usize = 5;

/// The end of the JSON object, after the images.
#[derive(Serialize)]
struct End<'a> {
    total: Total,
    /// If no image has the words in its name: names in the cache that are like them.
    similar: &'a [String],
    closed: Vec<String>,
    failed: &'a [Failed],
}

/// Totals of the listed images. `invalid_files` counts the invalid files of all image roots; with
/// words, of those with the words in their names.
#[derive(Serialize)]
struct Total {
    images: usize,
    size: u64,
    invalid_files: usize,
}

/// Runs the subcommand.
pub(crate) fn run(args: &List) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let now = Timestamp::now();
    let words = Words::new(&args.words);
    let mut roots = Roots::read(&args.site, &settings, &words)?;
    usage_from_logs::learn(&args.logs, settings.image_roots.iter().zip(&mut roots.usages))?;
    let filter = Filter {
        repository: args.repo.clone(),
        older_than: args.older_than,
        larger_than: args.larger_than,
    };
    let mut images = roots.images(&settings, &words, &filter, now)?;
    sort(&mut images.entries, &roots.all, args.sort);
    let size = images.entries.iter().map(|entry| entry.size).sum();
    let total = Total { images: images.entries.len(), size, invalid_files: images.invalid };
    let is_missing = !words.is_empty() && images.entries.is_empty();
    let similar = match is_missing && images.filtered == 0 {
        true => missing::similar(&words, &roots.all),
        false => Vec::new(),
    };
    let page = Page { args, settings: &settings, roots: &roots, entries: &images.entries, now };
    page.print(total, &similar)?;
    for Failed { root, problem } in &roots.failed {
        stderr::message(&format!("image root {root}: {problem}"));
    }
    if is_missing {
        let missing = Missing {
            typed: &args.words,
            filtered: images.filtered,
            failed: roots.failed.len(),
            closed: &roots.closed,
            has_filler: settings.filler.is_some(),
            similar: &similar,
        };
        stderr::message(&missing.message());
    }
    Ok(match (roots.failed.is_empty(), is_missing) {
        (false, _) => Exit::IO,
        (true, true) => Exit::MISS,
        (true, false) => Exit::OK,
    })
}

/// What to print.
struct Page<'a> {
    args: &'a List,
    settings: &'a Settings,
    roots: &'a Roots,
    entries: &'a [Entry],
    now: Timestamp,
}

impl Page<'_> {
    fn print(&self, total: Total, similar: &[String]) -> Result<(), Failure> {
        let (roots, runtime) = (&self.roots.all, Runtime::new(self.settings));
        match () {
            () if self.args.json => {
                let path = |path: &PathBuf| path.to_string_lossy().into_owned();
                let closed = self.roots.closed.iter().map(path).collect();
                let end = End { total, similar, closed, failed: &self.roots.failed };
                output::json_list("images", self.entries, &|one| one.row(roots, &runtime), &end)
            }
            () if self.args.refs => {
                output::lines(self.entries.iter().filter_map(|entry| entry.reference(roots)))
            }
            () if self.args.commands => {
                let command = |entry: &Entry| entry.command(roots, &runtime);
                let lines: Vec<String> = self.entries.par_iter().filter_map(command).collect();
                output::lines(lines.iter().map(String::as_str))
            }
            () => self.text(&total, &runtime),
        }
    }

    fn text(&self, total: &Total, runtime: &Runtime) -> Result<(), Failure> {
        if self.entries.is_empty() && !self.args.words.is_empty() {
            return Ok(());
        }
        table(self.entries, &self.roots.all, self.now)?;
        output::print(&summary(total))?;
        output::print(&closed(&self.roots.closed))?;
        match self.args.words.is_empty() {
            true => output::print(&not_listed(self.settings)),
            false => output::print(&self.hint(runtime)),
        }
    }

    /// The command line for the first image that has one.
    fn hint(&self, runtime: &Runtime) -> String {
        let roots = &self.roots.all;
        let Some((entry, typed)) =
            self.entries.iter().find_map(|entry| Some((entry, entry.typed(roots)?)))
        else {
            return "no reference leads to these files: see `sifcache verify --all`\n".to_owned();
        };
        let command = runtime.command(typed);
        let which = if self.entries.len() > 1 { "the first of them" } else { "it" };
        // A lookup would wait for a root that does not answer.
        let is_complete = self.roots.failed.is_empty();
        let note = match is_complete.then(|| start::found(self.settings, typed)) {
            None => String::new(),
            Some(Some(path)) if entry.is_at(roots, &path) => String::new(),
            Some(Some(path)) => format!("; jobs use {}", escape_for_terminal(&path)),
            Some(None) => {
                "; jobs on this host would not use the file, see `sifcache explain`".to_owned()
            }
        };
        format!("to start {which}{note}:\n    {command}\n")
    }
}

/// The directories that the caller may not read, with a limit for those who may read few of many.
fn closed(directories: &[PathBuf]) -> String {
    let line = |path: &PathBuf| format!("{}: you may not read it\n", escape_for_terminal(path));
    let mut text: String = directories.iter().take(MAX_CLOSED).map(line).collect();
    if let Some(more @ 1..) = directories.len().checked_sub(MAX_CLOSED) {
        text.push_str(&format!("{more} more directories: you may not read them\n"));
    }
    text
}

/// The roots that other tools fill. The names of their files do not always show a reference, and
/// there can be very many of them.
fn not_listed(settings: &Settings) -> String {
    let root = |root: &ForeignRoot| {
        let path = escape_for_terminal(&root.path);
        format!("{}={path} is filled by another tool and not listed\n", root.layout)
    };
    settings.foreign_roots.iter().map(root).collect()
}

fn sort(entries: &mut [Entry], roots: &[Listed], by: Sort) {
    match by {
        Sort::Name => entries.par_sort_by(|a, b| {
            let references = a.reference(roots).cmp(&b.reference(roots));
            references.then_with(|| a.path(roots).cmp(&b.path(roots)))
        }),
        Sort::Size => entries.par_sort_by_key(|entry| std::cmp::Reverse(entry.size)),
        Sort::Age => entries.par_sort_by_key(|entry| entry.added),
        Sort::Used => entries.par_sort_by_key(|entry| entry.last_used),
    }
}

fn table(entries: &[Entry], roots: &[Listed], now: Timestamp) -> Result<(), Failure> {
    if entries.is_empty() {
        return Ok(());
    }
    let columns = [
        ("REFERENCE", Align::Left),
        ("SIZE", Align::Right),
        ("ARCH", Align::Left),
        ("AGE", Align::Right),
        ("LAST USED", Align::Right),
        ("DIGEST", Align::Left),
        ("SOURCE", Align::Left),
    ];
    output::table(&columns, entries, &|entry| entry.cells(roots, now))
}

fn summary(total: &Total) -> String {
    let mut text = format!(
        "{}, {}\n",
        format::count(total.images, "image", "images"),
        format::size(total.size)
    );
    if total.invalid_files > 0 {
        let verify = "see `sifcache verify`";
        text.push_str(&format!("{} files are not valid images: {verify}\n", total.invalid_files));
    }
    text
}
