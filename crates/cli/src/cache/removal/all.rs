//! Lists several images for removal, asks for confirmation, and removes them.

use super::{Applied, Removal, is_full};
use crate::cache::store::Store;
use crate::cache::store::retention::Retention;
use crate::cache::view::update;
use crate::error::Failure;
use crate::exit::Exit;
use crate::system::signals;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output::{self, Align, Table};
use crate::ui::progress::Progress;
use crate::ui::prompt;
use crate::ui::stderr;
use clap::Args;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Serialize;
use sifcache_core::settings::Settings;
use std::path::Path;

/// Options of a removal.
#[derive(Debug, Args)]
pub(crate) struct Manner {
    /// Do not ask for confirmation
    #[arg(long, short)]
    yes: bool,
    /// Show what would be removed, and how much space that frees
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl Manner {
    /// Removes the images from `root`, except for a dry run or if the user declines.
    ///
    /// # Errors
    /// A removal fails. Images that have already been removed stay removed.
    pub(crate) fn remove(
        &self,
        settings: &Settings,
        root: &Path,
        mut removals: Vec<Removal>,
        keep: SignedDuration,
    ) -> Result<Exit, Failure> {
        unique(&mut removals);
        if self.dry_run {
            match self.json {
                true => object(&removals, root, None)?,
                false => output::print(&format!("{}\n", summary(&removals)))?,
            }
            return Ok(Exit::OK);
        }
        if !removals.is_empty() && !self.yes && !prompt::agreed(&summary(&removals))? {
            return Ok(Exit::PROBLEMS);
        }
        signals::watch()?;
        let store = Store::open(root, settings)?;
        let applied = self.apply(&store, removals, Retention::new(keep));
        update::after(settings, root, applied)
    }

    /// Removes as many of the images as possible: one that cannot be removed, or an output that
    /// nobody reads, does not keep the others in the cache.
    ///
    /// # Errors
    /// The first failure; further ones are printed.
    fn apply(
        &self,
        store: &Store,
        removals: Vec<Removal>,
        retention: Retention,
    ) -> Result<Exit, Failure> {
        let progress = Progress::new(self.json);
        let (mut done, mut first, mut exit) = (Vec::new(), None, Exit::OK);
        for mut removal in removals {
            signals::check()?;
            match removal.apply(store, retention) {
                Ok(Applied::Removed) => {
                    let printed = self.report(&removal, &progress);
                    printed.unwrap_or_else(|failure| keep_first(&mut first, failure));
                    done.push(removal);
                }
                Ok(Applied::Gone) => {}
                Ok(Applied::Replaced) => {
                    stderr::message(&replaced(&removal));
                    exit = if removal.is_requested { Exit::PROBLEMS } else { exit };
                }
                // The next ones would fail in the same way.
                Err(failure) if is_full(&failure) => return Err(first.unwrap_or(failure)),
                Err(failure) => keep_first(&mut first, failure),
            }
        }
        let summed = match self.json {
            true => object(&done, store.root(), Some(retention)),
            false => progress.line(&sum(&done, store, retention)),
        };
        summed.unwrap_or_else(|failure| keep_first(&mut first, failure));
        first.map_or(Ok(exit), Err)
    }

    fn report(&self, removal: &Removal, progress: &Progress) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let reference = escape_for_terminal(removal.reference.as_ref());
        progress.line(&format!("removed  {reference}  {}", format::size(removal.frees)))
    }
}

/// Keeps the first failure, which is returned at the end, and prints each further one.
fn keep_first(first: &mut Option<Failure>, failure: Failure) {
    match first {
        None => *first = Some(failure),
        // If the output failed once, it fails for each image.
        Some(Failure::Io(_)) if !matches!(failure, Failure::Io(_)) => {
            *first = Some(failure);
        }
        Some(_) if matches!(failure, Failure::Io(_)) => {}
        Some(_) => stderr::message(&failure.to_string()),
    }
}

/// The message about an image that stays.
fn replaced(removal: &Removal) -> String {
    let reference = escape_for_terminal(removal.reference.as_ref());
    format!("{reference} is not removed: another command has just replaced it")
}

/// One line that sums up the removals.
fn sum(removals: &[Removal], store: &Store, retention: Retention) -> String {
    if removals.is_empty() {
        return "nothing to remove".to_owned();
    }
    let frees: u64 = removals.iter().map(|removal| removal.frees).sum();
    let when = retention.until().map_or("free now".to_owned(), |until| {
        let day = until.to_zoned(TimeZone::system()).date();
        format!("kept in {} until {day}", escape_for_terminal(&store.state().join("kept")))
    });
    format!("{} removed, {}, {when}", removals.len(), format::size(frees))
}

/// Drops duplicate entries.
fn unique(removals: &mut Vec<Removal>) {
    let all = std::mem::take(removals);
    for removal in all {
        if !removals.iter().any(|other| other.names == removal.names) {
            removals.push(removal);
        }
    }
}

/// A table of the planned removals, for display.
fn summary(removals: &[Removal]) -> String {
    let mut table = Table::new(&[
        ("REFERENCE", Align::Left),
        ("FREES", Align::Right),
        ("ADDED", Align::Left),
        ("LAST USED", Align::Left),
    ]);
    let day = |time: Option<Timestamp>| time.map_or("-".to_owned(), format::day);
    for removal in removals {
        let (size, reference) =
            (format::size(removal.frees), escape_for_terminal(removal.reference.as_ref()));
        table.row(vec![reference, size, day(removal.added), day(removal.last_used)]);
    }
    let frees: u64 = removals.iter().map(|removal| removal.frees).sum();
    format!("{}{} to remove, {}", table.text(), removals.len(), format::size(frees))
}

/// The JSON object.
#[derive(Serialize)]
struct Object<'a> {
    dry_run: bool,
    root: String,
    removed: &'a [Removal],
    frees: u64,
    kept_until: Option<Timestamp>,
}

fn object(removals: &[Removal], root: &Path, retention: Option<Retention>) -> Result<(), Failure> {
    output::json(&Object {
        dry_run: retention.is_none(),
        root: root.to_string_lossy().into_owned(),
        removed: removals,
        frees: removals.iter().map(|removal| removal.frees).sum(),
        kept_until: retention.and_then(Retention::until),
    })
}
