//! `sifcache list`: lists the images in the cache.

use crate::cache::image_name;
use crate::cache::select::{self, Filter, Inventory};
use crate::cache::store::scan::Image;
use crate::cache::usage_from_logs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::Site;
use crate::site;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output::{self, Align, Table};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;
use serde::Serialize;
use sifcache_core::layout::ForeignRoot;
use sifcache_core::settings::Settings;

/// List the images in the cache
///
/// Each file is shown on one line, with all of its names. The digest and the source are known for
/// images that were added with `add` or `import`. The time when an image last served a job is known
/// if `sifcache hits` has read the logs, or with --log.
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
    #[arg(long, conflicts_with = "json")]
    refs: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
  The largest images:
      sifcache list --sort size --larger-than 5G
  Old images of one repository:
      sifcache list --repo determinedai --older-than 90d
  A list for filling the cache of another cluster:
      sifcache list --refs >images.txt
  In a script:
      sifcache list --json | jq -r '.images[] | select(.digests == []) | .path'

Exit status:
   0  success, even if there are no images
  64  wrong usage
  74  reading or writing failed
  78  the site's settings are invalid or missing

The JSON object is described in docs/json.md.";

/// One line of the list.
#[derive(Serialize)]
struct Row {
    reference: Option<String>,
    references: Vec<String>,
    path: String,
    names: Vec<String>,
    size: u64,
    architecture: &'static str,
    added: Timestamp,
    digests: Vec<String>,
    source: Option<String>,
    last_used: Option<Timestamp>,
}

/// The JSON object.
#[derive(Serialize)]
struct Object {
    images: Vec<Row>,
    total: Total,
}

/// Totals of the listed images. `invalid_files` counts the invalid files of all image roots.
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
    let filter = Filter {
        repository: args.repo.as_deref(),
        older_than: args.older_than,
        larger_than: args.larger_than,
    };
    let mut rows = Vec::new();
    let mut invalid_files = 0;
    let mut inventories: Vec<Inventory> = settings
        .image_roots
        .iter()
        .map(|root| select::inventory(root))
        .collect::<Result<_, _>>()?;
    usage_from_logs::learn(&args.logs, &mut inventories)?;
    for inventory in &inventories {
        invalid_files += inventory.others;
        let images = inventory.images.par_iter().filter(|image| filter.takes(image, now));
        rows.par_extend(images.map(|image| row(inventory, image)));
    }
    sort(&mut rows, args.sort);
    let total =
        Total { images: rows.len(), size: rows.iter().map(|r| r.size).sum(), invalid_files };
    match () {
        () if args.json => output::json(&Object { images: rows, total })?,
        () if args.refs => output::print(&references(&rows))?,
        () => {
            output::print(&page(&rows, &total, now))?;
            output::print(&not_listed(&settings))?;
        }
    }
    Ok(Exit::OK)
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

fn row(inventory: &Inventory, image: &Image) -> Row {
    let all = image.references();
    let references: Vec<String> = all.iter().map(image_name::short).collect();
    let first = image.names.first().cloned().unwrap_or_default();
    Row {
        reference: references.first().cloned(),
        references,
        path: inventory.root.join(first).to_string_lossy().into_owned(),
        names: image.names.clone(),
        size: image.size,
        architecture: image.architecture,
        added: image.added(),
        digests: image.digests(&all),
        source: image.record.as_ref().map(|record| record.source.clone()),
        last_used: inventory.last_used(image),
    }
}

fn sort(rows: &mut [Row], by: Sort) {
    match by {
        Sort::Name => rows.sort_by(|a, b| (&a.reference, &a.path).cmp(&(&b.reference, &b.path))),
        Sort::Size => rows.sort_by_key(|row| std::cmp::Reverse(row.size)),
        Sort::Age => rows.sort_by_key(|row| row.added),
        Sort::Used => rows.sort_by_key(|row| row.last_used),
    }
}

fn references(rows: &[Row]) -> String {
    let lines = rows.iter().filter_map(|row| row.reference.as_ref());
    lines.map(|reference| format!("{reference}\n")).collect()
}

fn page(rows: &[Row], total: &Total, now: Timestamp) -> String {
    let mut table = Table::new(&[
        ("REFERENCE", Align::Left),
        ("SIZE", Align::Right),
        ("ARCH", Align::Left),
        ("AGE", Align::Right),
        ("LAST USED", Align::Right),
        ("DIGEST", Align::Left),
        ("SOURCE", Align::Left),
    ]);
    for row in rows {
        let path = || escape_for_terminal(row.path.as_ref());
        table.row(vec![
            row.reference.clone().unwrap_or_else(path),
            format::size(row.size),
            row.architecture.to_owned(),
            format::ago(row.added, now),
            row.last_used.map_or("-".to_owned(), |used| format::ago(used, now)),
            row.digests.first().map_or("-".to_owned(), |digest| abridged(digest)),
            row.source
                .as_ref()
                .map_or("-".to_owned(), |source| escape_for_terminal(source.as_ref())),
        ]);
    }
    let mut text = if rows.is_empty() { String::new() } else { table.text() };
    text.push_str(&format!("{} images, {}\n", total.images, format::size(total.size)));
    if total.invalid_files > 0 {
        let verify = "see `sifcache verify`";
        text.push_str(&format!("{} files are not valid images: {verify}\n", total.invalid_files));
    }
    text
}

/// The first 12 digits, which are enough for a comparison by eye.
fn abridged(digest: &str) -> String {
    digest.rsplit(':').next().unwrap_or_default().chars().take(12).collect()
}
