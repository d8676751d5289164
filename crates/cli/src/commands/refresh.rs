//! `sifcache refresh`: re-pulls images whose tags now point to a different digest.

mod item;

use crate::cache::runs::{Begun, Command};
use crate::cache::select;
use crate::cache::store::architecture;
use crate::cache::store::retention::Retention;
use crate::cache::store::{self, Store, metadata};
use crate::cache::view::update;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::{Change, Pull, REFERENCE, Site};
use crate::pull::credentials::Credentials;
use crate::pull::outcome::{self, Outcome, Report, Status};
use crate::pull::puller::Puller;
use crate::pull::registry::{self, Registry};
use crate::pull::watch::Watch;
use crate::site;
use crate::system::pool;
use crate::system::signals;
use crate::ui::progress::Progress;
use clap::Args;
use item::{Item, items};
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::fs;
use std::path::Path;

/// Re-pull images whose tag now points to a different digest
///
/// Queries the registry of each image with one HEAD request, and pulls the image if its tag points
/// to a different digest. The new file replaces the old one atomically, so each launch finds either
/// the old or the new one. The old file is kept for the time given with --keep, for jobs that run
/// from it. The name with the old digest is removed, unless that digest was added explicitly. With
/// pull=link it stays, because files of users may link to it, until `gc` removes it.
///
/// For a file that was put into the image root by hand, the digest is known if Apptainer 1.5 or
/// later pulled it and recorded it in the file. An image without a known digest is pulled again if
/// it is given on the command line, or with --unknown.
///
/// sifcache queries registries in the same way as Apptainer: with the certificates of this host (or
/// of SSL_CERT_FILE and SSL_CERT_DIR), the mirrors of registries.conf, and the proxies of
/// HTTPS_PROXY and NO_PROXY (docs/registries.md).
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Refresh {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    pull: Pull,
    /// Check all images of the image root
    #[arg(long)]
    all: bool,
    /// With --all: also pull images whose digest is unknown
    #[arg(long, requires = "all", conflicts_with = "references")]
    unknown: bool,
    /// Report outdated images without pulling them
    #[arg(long)]
    check: bool,
    /// Print one JSON object per reference
    #[arg(long)]
    json: bool,
    /// References to refresh
    #[arg(value_hint = REFERENCE, value_name = "REF", required_unless_present = "all", conflicts_with = "all")]
    references: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
      sifcache refresh ubuntu:22.04
  Which tags point to a different digest?
      sifcache refresh --all --check
  Every night:
      sifcache refresh --all --jobs 4

Exit status:
   0  all images are up to date
   1  some could not be refreshed, or a view is not current; with --check: some are outdated, gone
      or unknown
  64  wrong usage, or an invalid image reference
  69  there is no runtime, or the registry of the only image cannot be queried
  73  something cannot be written
  77  not permitted
  78  the site's settings are invalid or missing, or jobs would not trust the image root
 130  interrupted; nothing is left behind

The JSON objects are described in docs/json.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Refresh) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let root = site::target(&settings, args.change.into.as_deref())?;
    let begun = Begun::now(&root, Command::Refresh);
    let mut names = None;
    let result = refresh(args, &settings, &root, &mut names);
    if args.check {
        return result;
    }
    begun.end_with(result, &|tags| match &names {
        Some(names) if args.all => tags.after(begun.at(), names.failed.iter().cloned()),
        Some(names) => tags.after_some(begun.at(), names.refreshed.iter().cloned()),
        None => tags,
    })
}

/// The names of the images that were to be refreshed.
#[derive(Default)]
struct Names {
    refreshed: Vec<String>,
    failed: Vec<String>,
}

impl Names {
    /// The names of these items, by their results. A digest cannot move, so it is not compared.
    fn new(items: &[Item], done: &[Result<bool, Failure>]) -> Self {
        let mut names = Self::default();
        for (item, done) in items.iter().zip(done) {
            match done {
                Err(_) => names.failed.push(item.name.clone()),
                Ok(_) if item.reference.digest().is_some() => {}
                Ok(_) => names.refreshed.push(item.name.clone()),
            }
        }
        names
    }
}

/// Sets `names` once it is known which images there are.
fn refresh(
    args: &Refresh,
    settings: &Settings,
    root: &Path,
    names: &mut Option<Names>,
) -> Result<Exit, Failure> {
    store::require(root)?;
    let inventory = select::inventory(settings, root)?;
    let architecture = architecture::wanted(root, args.pull.arch)?;
    let items = items(args, settings, &inventory, architecture)?;
    let all = items.iter().map(|item| item.name.clone());
    *names = Some(Names { failed: all.collect(), ..Names::default() });
    let progress = Progress::new(args.json);
    let report = Report::new(&progress, args.json);
    let credentials = Credentials::find(args.pull.docker_login, args.pull.authfile.as_deref())?;
    let registry = Registry::new(args.pull.no_https, credentials.clone())?;
    signals::watch()?;
    // With `--check`, neither a runtime nor write permission is needed.
    let store = match args.check {
        true => None,
        false => Some(Store::open_for(root, settings, architecture)?),
    };
    let (change, pull) = (&args.change, &args.pull);
    let puller = store
        .as_ref()
        .map(|store| Puller::new(store, settings, change, pull, credentials.clone(), &progress));
    let puller = puller.transpose()?;
    let (store, puller) = (store.as_ref(), puller.as_ref());
    let work = Work { args, root, store, puller, registry: &registry, progress: &progress };
    let done = pool::each(pull.jobs.into(), &items, &|item| {
        let outcome = signals::check().and_then(|()| work.refresh(item));
        let reported = report.one(&item.reference, &outcome);
        let current = |outcome: &Outcome| {
            !matches!(outcome.status, Status::Moved | Status::Unknown | Status::Gone)
        };
        let is_current = outcome.map(|outcome| !args.check || current(&outcome))?;
        if is_current { reported.map(|()| true) } else { Ok(false) }
    });
    *names = Some(Names::new(&items, &done));
    end(args, settings, root, done)
}

/// Updates the views, and returns the exit status.
fn end(
    args: &Refresh,
    settings: &Settings,
    root: &Path,
    done: Vec<Result<bool, Failure>>,
) -> Result<Exit, Failure> {
    let stale = done.iter().any(|done| matches!(done, Ok(false)));
    let mut exit = outcome::exit(done.into_iter().map(|done| done.map(drop)).collect());
    if !args.check {
        exit = update::after(settings, root, exit);
    }
    match exit {
        Ok(Exit::OK) | Err(Failure::Io(_)) if stale => Ok(Exit::PROBLEMS),
        exit => exit,
    }
}

struct Work<'a> {
    args: &'a Refresh,
    root: &'a Path,
    store: Option<&'a Store>,
    puller: Option<&'a Puller<'a>>,
    registry: &'a Registry,
    progress: &'a Progress,
}

impl Work<'_> {
    fn refresh(&self, item: &Item) -> Result<Outcome, Failure> {
        let status = self.status(&item.reference, &item.digests)?;
        let pull = match status {
            Status::Moved => true,
            Status::Unknown => !self.args.all || self.args.unknown,
            _ => false,
        };
        match (self.puller, self.store) {
            (Some(puller), Some(store)) if pull => {
                let outcome = self.swap(puller, store, item)?;
                for orphan in &item.orphans {
                    orphan.clone().apply(store, Retention::new(self.args.change.keep))?;
                }
                Ok(outcome)
            }
            _ => Ok(Outcome::of(status, self.root.join(&item.name))),
        }
    }

    /// Compares the digests of an image with its tag.
    fn status(&self, reference: &Reference, digests: &[String]) -> Result<Status, Failure> {
        if reference.digest().is_some() {
            return Ok(Status::Pinned);
        }
        // Neither a library nor a web server has a digest to compare with.
        if !reference.transport().is_registry() {
            return Ok(Status::Unknown);
        }
        match self.registry.digest(reference) {
            Ok(_) if digests.is_empty() => Ok(Status::Unknown),
            Ok(digest) if digests.contains(&digest) => Ok(Status::Unchanged),
            Ok(_) => Ok(Status::Moved),
            Err(registry::Error::Stopped(failure)) => Err(failure),
            Err(error) if error.not_found() => Ok(Status::Gone),
            Err(error) => Err(Failure::Registry(error.to_string())),
        }
    }

    /// Pulls the image, unless another command has just done so.
    fn swap(&self, puller: &Puller<'_>, store: &Store, item: &Item) -> Result<Outcome, Failure> {
        let (name, path) = (&item.name, store.path(&item.name));
        let waiting =
            || self.progress.note(&format!("{name}: another command is working on it; waiting"));
        let _lock = store.lock(name, &waiting)?;
        if self.is_done(item)? {
            return Ok(Outcome::of(Status::Unchanged, path));
        }
        let pulled = puller.pull(&item.reference, name, &Watch::default())?;
        for name in &item.along {
            let leads_there = pulled.digests.iter().any(|digest| name.ends_with(digest));
            if !leads_there
                && store.guard(name).is_ok()
                && fs::remove_file(store.path(name)).is_ok()
            {
                metadata::forget(store, name);
            }
        }
        Ok(Outcome::pulled(Status::Refreshed, path, pulled, &item.reference))
    }

    /// Whether another command has replaced the file since the inventory was read, with what the tag
    /// points to now, or with a pulled image that has no digest to compare.
    fn is_done(&self, item: &Item) -> Result<bool, Failure> {
        let Some(replacement) = item.replacement(self.root) else { return Ok(false) };
        let status = self.status(&item.reference, &replacement.digests)?;
        Ok(match status {
            Status::Unchanged => true,
            Status::Unknown => replacement.is_pulled,
            _ => false,
        })
    }
}
