//! `sifcache gc`: takes out what is old, unused or too much.

use crate::args::{Change, Site};
use crate::failure::{Exit, Failure};
use crate::output::plain;
use crate::removal::Removal;
use crate::removal::all::Manner;
use crate::select::{self, Filter, Stock};
use crate::store::scan::Image;
use crate::store::{kept, strangers};
use crate::{human, logs, output, site};
use clap::Args;
use jiff::{SignedDuration, Timestamp};

/// Take out images that are old, unused, or more than there is space for
///
/// What goes has to fulfil every condition that is given. With --max-size, of those only as
/// many go as it takes, the longest unused first. Like with `remove`, files are kept for the
/// time of --keep. What commands that were killed have left behind, and what has been kept
/// long enough, goes at every call.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Gc {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    logs: logs::Logs,
    /// Only of this repository, or of all that begin with these words: determinedai
    #[arg(long, value_name = "REPOSITORY")]
    repo: Option<String>,
    /// What came into the cache longer ago than this: 90d, 8w, 1y
    #[arg(long, value_name = "TIME", value_parser = human::parse_age)]
    older_than: Option<SignedDuration>,
    /// What has served no job for this long, as the logs say; they have to reach back so far
    #[arg(long, value_name = "TIME", value_parser = human::parse_age)]
    unused_for: Option<SignedDuration>,
    /// So much that the rest has no more than this: 500G, 2T; powers of 1024
    #[arg(long, value_name = "SIZE", value_parser = human::parse_size)]
    max_size: Option<u64>,
    #[command(flatten)]
    manner: Manner,
}

const EXAMPLES: &str = "\
Examples:
  What would go?
      sifcache gc --older-than 90d --unused-for 60d --dry-run
  The same with the log of all nodes:
      sifcache gc --unused-for 60d --log /var/log/central/slurm* --dry-run
  Every night, down to two TiB:
      sifcache gc --older-than 30d --max-size 2T --yes
  Only clear up after killed commands, and what has been kept long enough:
      sifcache gc

Exit status:
   0  done, also if there was nothing to do
   1  the answer was no: nothing has changed
  64  wrong usage; also if it cannot ask and --yes is not given
  69  the logs do not reach back as far as --unused-for asks
  73  something cannot be written
  77  not permitted
  78  the site's settings are wrong or missing

The JSON object is described in docs/cache.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Gc) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let root = site::target(&settings, args.change.into.as_deref())?;
    let mut stocks = vec![select::stock(&root)?];
    if args.unused_for.is_some() || args.max_size.is_some() {
        logs::learn(&args.logs, &mut stocks)?;
    }
    let Some(stock) = stocks.first() else { return Ok(Exit::OK) };
    let removals = choose(args, stock, Timestamp::now())?;
    let exit = args.manner.remove(&settings, &root, removals, args.change.keep)?;
    if !args.manner.json {
        output::print(&still_kept(&root))?;
    }
    Ok(exit)
}

/// What goes: of what fulfils every condition, the longest unused first.
fn choose(args: &Gc, stock: &Stock, now: Timestamp) -> Result<Vec<Removal>, Failure> {
    if args.older_than.is_none() && args.unused_for.is_none() && args.max_size.is_none() {
        return Ok(Vec::new());
    }
    let filter =
        Filter { repository: args.repo.as_deref(), older_than: args.older_than, larger_than: None };
    let unused = unused_since(args, stock, now)?;
    let last_use = |image: &&Image| {
        stock.last_served(image).map_or(image.added(), |served| served.max(image.added()))
    };
    let mut images: Vec<&Image> = stock
        .images
        .iter()
        .filter(|image| filter.takes(image, now))
        .filter(|image| unused.is_none_or(|since| last_use(image) < since))
        .filter(|image| is_ours_to_take(stock, image))
        .collect();
    images.sort_by_key(last_use);
    let mut size: u64 = stock.images.iter().map(|image| image.size).sum();
    let too_much = |image: &&&Image| {
        let more = args.max_size.is_none_or(|most| size > most);
        size -= if more { image.size } else { 0 };
        more
    };
    Ok(images.iter().take_while(too_much).map(|image| Removal::whole(stock, image)).collect())
}

/// Whether nobody else could lead one of its names elsewhere. One that is left must not
/// keep the others from going.
fn is_ours_to_take(stock: &Stock, image: &Image) -> bool {
    let names = image.names.iter().map(|name| stock.root.join(name));
    let stranger = names.filter_map(|path| strangers::at(path.parent()?)).next();
    if let Some(stranger) = &stranger {
        let title = plain(image.title().as_ref());
        anstream::eprintln!("sifcache: {title} stays: {}", strangers::said(stranger));
    }
    stranger.is_none()
}

/// The time before which a last use counts as none.
fn unused_since(args: &Gc, stock: &Stock, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let Some(unused_for) = args.unused_for else { return Ok(None) };
    let since = now.checked_sub(unused_for).unwrap_or(Timestamp::MIN);
    match stock.served.reaches_back_to(now) {
        Some(start) if start <= since => Ok(Some(since)),
        start => {
            let asked = human::day(since);
            let message = start.map_or_else(
                || "nothing is known of what served jobs".to_owned(),
                |start| format!("what is known of served jobs begins on {}", human::day(start)),
            );
            let advice = format!(
                "{message}, and --unused-for asks back to {asked}: give older logs with --log"
            );
            Err(Failure::new(Exit::UNAVAILABLE, advice))
        }
    }
}

fn still_kept(root: &std::path::Path) -> String {
    let kept = kept::list(root);
    match kept.iter().map(|(_, until)| *until).min() {
        None => String::new(),
        Some(next) => {
            format!("{} kept, the next goes on {}\n", kept.len(), human::day(next))
        }
    }
}
