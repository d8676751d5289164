//! `sifcache view --list`: the names in the views, with the reference and the image of each.

use crate::cache::view::View;
use crate::cache::view::engine::{Engine, Layout};
use crate::cache::view::entries::{Entry, entries};
use crate::cache::view::plan::reference_of;
use crate::error::Failure;
use crate::exit::Exit;
use crate::ui::escape::escape_for_terminal;
use crate::ui::output::{self, Align, Table};
use serde::Serialize;
use std::path::Path;

/// The JSON object.
#[derive(Serialize)]
struct Object {
    names: Vec<Name>,
}

/// A link of a view.
#[derive(Serialize)]
struct Name {
    engine: Engine,
    path: String,
    reference: String,
    image: String,
}

/// Prints the names in these views. Entries that are not ours are omitted.
///
/// # Errors
/// A view cannot be read, or standard output fails.
pub(super) fn list(views: &[View], json: bool) -> Result<Exit, Failure> {
    let mut names = Vec::new();
    for view in views {
        for layout in view.layouts() {
            names.extend(of_layout(view, layout)?);
        }
    }
    match json {
        true => output::json(&Object { names })?,
        false => output::print(&page(&names))?,
    }
    Ok(Exit::OK)
}

fn of_layout(view: &View, layout: Layout) -> Result<Vec<Name>, Failure> {
    let directory = view.path(layout);
    let all = entries(&directory, layout).map_err(|error| Failure::read(&directory, error))?;
    let name = |(name, entry): (String, Entry)| {
        let Entry::Link(target) = entry else { return None };
        let reference = reference_of(view, layout, &name, &target)?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (path, image) = (text(&directory.join(name)), text(&target));
        Some(Name { engine: layout.engine(), path, reference, image })
    };
    Ok(all.into_iter().filter_map(name).collect())
}

fn page(names: &[Name]) -> String {
    let mut table =
        Table::new(&[("NAME", Align::Left), ("REFERENCE", Align::Left), ("IMAGE", Align::Left)]);
    for name in names {
        let text = |text: &str| escape_for_terminal(text.as_ref());
        table.row(vec![text(&name.path), name.reference.clone(), text(&name.image)]);
    }
    match names.is_empty() {
        true => "no names\n".to_owned(),
        false => table.text(),
    }
}
