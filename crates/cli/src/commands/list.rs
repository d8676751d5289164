//! `sifcache list`: lists the images in the cache.

mod digest;
mod entry;

use crate::cache::select::{self, Filter};
use crate::cache::store::scan::{self, Image};
use crate::cache::usage::UsageIndex;
use crate::cache::usage_from_logs;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::Site;
use crate::site;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output::{self, Align};
use clap::Args;
use entry::{Entry, Listed};
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

/// The end of the JSON object, after the images.
#[derive(Serialize)]
struct End {
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
    let mut usages: Vec<UsageIndex> =
        settings.image_roots.iter().map(|root| UsageIndex::load(root)).collect();
    let mut roots: Vec<Listed> = Vec::new();
    for path in &settings.image_roots {
        roots.push(Listed { path: path.clone(), files: select::files(path)? });
    }
    usage_from_logs::learn(&args.logs, settings.image_roots.iter().zip(&mut usages))?;
    let (entries, invalid_files) = entries(args, &roots, usages, now);
    let size = entries.iter().map(|entry| entry.size).sum();
    let total = Total { images: entries.len(), size, invalid_files };
    match () {
        () if args.json => {
            output::json_list("images", &entries, &|entry| entry.row(&roots), &End { total })?;
        }
        () if args.refs => {
            let lines = entries.iter().filter_map(|entry| entry.reference(&roots));
            output::lines(lines)?;
        }
        () => {
            table(&entries, &roots, now)?;
            output::print(&summary(&total))?;
            output::print(&not_listed(&settings))?;
        }
    }
    Ok(Exit::OK)
}

/// The images to list in their order, and the number of invalid files.
fn entries(
    args: &List,
    roots: &[Listed],
    usages: Vec<UsageIndex>,
    now: Timestamp,
) -> (Vec<Entry>, usize) {
    let filter = Filter {
        repository: args.repo.as_deref(),
        older_than: args.older_than,
        larger_than: args.larger_than,
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut invalid_files = 0;
    for (index, (root, usage)) in roots.iter().zip(usages).enumerate() {
        let entry = |file: usize, image: Image| {
            filter.takes(&image, now).then(|| Entry::new(index, file, &image, &usage))
        };
        let (images, others) = scan::each(&root.path, &root.files, &entry);
        invalid_files += others;
        // Usually there is only one root, and the list is not copied.
        match entries.is_empty() {
            true => entries = images,
            false => entries.extend(images),
        }
    }
    sort(&mut entries, roots, args.sort);
    (entries, invalid_files)
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
    let mut text = format!("{} images, {}\n", total.images, format::size(total.size));
    if total.invalid_files > 0 {
        let verify = "see `sifcache verify`";
        text.push_str(&format!("{} files are not valid images: {verify}\n", total.invalid_files));
    }
    text
}
