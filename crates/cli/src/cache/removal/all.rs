//! Lists several images for removal, asks for confirmation, and removes them.

use super::Removal;
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

    fn apply(
        &self,
        store: &Store,
        mut removals: Vec<Removal>,
        retention: Retention,
    ) -> Result<Exit, Failure> {
        let progress = Progress::new(self.json);
        for removal in &mut removals {
            signals::check()?;
            removal.apply(store, retention)?;
            if !self.json {
                let frees = format::size(removal.frees);
                progress.line(&format!(
                    "removed  {}  {frees}",
                    escape_for_terminal(removal.reference.as_ref())
                ))?;
            }
        }
        match self.json {
            true => object(&removals, store.root(), Some(retention))?,
            false => progress.line(&sum(&removals, store, retention))?,
        }
        Ok(Exit::OK)
    }
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
