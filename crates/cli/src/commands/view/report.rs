//! The report about changes in views: a table for each view, or a JSON object.

use crate::cache::view::View;
use crate::cache::view::sync::{Compared, Status};
use crate::error::Failure;
use crate::ui::escape::escape_for_terminal;
use crate::ui::output::{self, Align, Table};
use crate::ui::stderr;
use serde::Serialize;
use std::path::Path;

/// A view and the changes in it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) view: View,
    pub(super) status: Status,
}

/// The data of a report.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) done: &'a [Done],
    pub(super) dry_run: bool,
    pub(super) removed: bool,
}

/// The JSON object.
#[derive(Serialize)]
struct Object {
    dry_run: bool,
    views: Vec<ViewObject>,
}

#[derive(Serialize)]
struct ViewObject {
    view: String,
    roots: Vec<String>,
    references: usize,
    directories: Vec<DirectoryObject>,
    shared: Vec<SharedObject>,
    occupied: Vec<OccupiedObject>,
}

#[derive(Serialize)]
struct DirectoryObject {
    engine: crate::cache::view::engine::Engine,
    path: String,
    settings: &'static [&'static str],
    names: usize,
    created: usize,
    replaced: usize,
    removed: usize,
}

#[derive(Serialize)]
struct SharedObject {
    path: String,
    references: Vec<String>,
}

#[derive(Serialize)]
struct OccupiedObject {
    path: String,
    reference: String,
}

impl Report<'_> {
    /// Prints the JSON object.
    ///
    /// # Errors
    /// Standard output fails.
    pub(super) fn json(&self) -> Result<(), Failure> {
        let views = self.done.iter().map(object).collect();
        output::json(&Object { dry_run: self.dry_run, views })
    }

    /// Prints a table for each view, and the names without a link on standard error.
    ///
    /// # Errors
    /// Standard output fails.
    pub(super) fn text(&self) -> Result<(), Failure> {
        if self.done.is_empty() {
            return output::print(
                "there are no views; `sifcache view DIR --for ENGINE` creates one\n",
            );
        }
        for done in self.done {
            output::print(&self.page(done))?;
            messages(done).for_each(|message| stderr::message(&message));
        }
        Ok(())
    }

    fn page(&self, done: &Done) -> String {
        let mut table = Table::new(&[
            ("DIRECTORY", Align::Left),
            ("NAMES", Align::Right),
            ("CREATED", Align::Right),
            ("REPLACED", Align::Right),
            ("REMOVED", Align::Right),
            ("SETTING", Align::Left),
        ]);
        for one in &done.status.layouts {
            let [created, replaced, removed] = counts(one).map(|count| count.to_string());
            let path = escape_for_terminal(&done.view.path(one.layout));
            let names = one.links.saturating_sub(one.differences.occupied.len()).to_string();
            let setting = one.layout.settings().join(", ");
            table.row(vec![path, names, created, replaced, removed, setting]);
        }
        let view = escape_for_terminal(&done.view.directory);
        let verb = match (self.dry_run, self.removed) {
            (true, _) => "dry run, nothing was changed".to_owned(),
            (false, true) => "removed".to_owned(),
            (false, false) if done.status.references == 1 => "1 reference".to_owned(),
            (false, false) => format!("{} references", done.status.references),
        };
        format!("{}{view}: {verb}\n", table.text())
    }
}

/// The numbers of links that were created, replaced and removed.
fn counts(one: &Compared) -> [usize; 3] {
    let found = &one.differences;
    [found.missing.len(), found.wrong.len(), found.stale.len()]
}

/// Messages about the names that have no link.
fn messages(done: &Done) -> impl Iterator<Item = String> {
    let path = |layout, name: &String| escape_for_terminal(&done.view.path(layout).join(name));
    let shared = done.status.shared.iter().map(move |one| {
        format!("{}: no link, because {}", path(one.layout, &one.name), one.reason())
    });
    let occupied = done.status.occupied().map(move |one| {
        let (path, reference) = (path(one.layout, &one.name), &one.reference);
        format!(
            "{path}: no link for {reference}, because something else has this name: remove or \
             rename it"
        )
    });
    shared.chain(occupied)
}

fn object(done: &Done) -> ViewObject {
    let Done { view, status } = done;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let directory = |one: &Compared| {
        let [created, replaced, removed] = counts(one);
        DirectoryObject {
            engine: one.layout.engine(),
            path: text(&view.path(one.layout)),
            settings: one.layout.settings(),
            names: one.links.saturating_sub(one.differences.occupied.len()),
            created,
            replaced,
            removed,
        }
    };
    ViewObject {
        view: text(&view.directory),
        roots: view.roots.iter().map(|root| text(root)).collect(),
        references: status.references,
        directories: status.layouts.iter().map(directory).collect(),
        shared: status
            .shared
            .iter()
            .map(|one| SharedObject {
                path: text(&view.path(one.layout).join(&one.name)),
                references: one.references.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        occupied: status
            .occupied()
            .map(|one| OccupiedObject {
                path: text(&view.path(one.layout).join(&one.name)),
                reference: one.reference.to_string(),
            })
            .collect(),
    }
}
