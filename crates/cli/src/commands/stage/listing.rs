//! `sifcache stage --list`: lists which node has which image.

use super::message::{Copy, Reply, Request};
use super::nodes::{self, Nodes};
use super::source;
use super::step::{NodeFailure, Step, Terms};
use crate::cache::image_name;
use crate::cache::lookup;
use crate::error::Failure;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output::{self, Align, Table};
use crate::ui::progress::Progress;
use serde::Serialize;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::collections::BTreeMap;
use std::path::Path;

/// How a copy compares with the image of the same reference in the other image roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// The contents are identical.
    Current,
    /// The other roots have a different image: it was refreshed there, or was always different.
    Differs,
    /// The other roots have no such image.
    LocalOnly,
    /// The state cannot be determined without reading the images.
    Unknown,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Differs => "differs",
            Self::LocalOnly => "local-only",
            Self::Unknown => "unknown",
        }
    }
}

/// One line of the list.
#[derive(Debug, Serialize)]
struct Row {
    reference: String,
    size: u64,
    sha256: Option<String>,
    state: State,
    nodes: Nodes,
}

/// The JSON object.
#[derive(Debug, Serialize)]
struct Object<'a> {
    root: &'a Path,
    nodes: Nodes,
    images: Vec<Row>,
    failed: Vec<Failed>,
}

/// A node that could not be listed.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    pub(super) node: String,
    pub(super) error: String,
}

/// The replies of the nodes.
#[derive(Debug, Default)]
pub(super) struct Listing {
    nodes: Nodes,
    copies: BTreeMap<Copy, Nodes>,
    pub(super) failed: Vec<Failed>,
}

impl Listing {
    /// Queries the nodes.
    ///
    /// # Errors
    /// Failures that affect all nodes: Slurm is unavailable, or a signal asked the command to stop.
    pub(super) fn gather(
        terms: Terms<'_>,
        nodes: &Nodes,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let _task = progress.on_terminal("listing the images on the nodes", 0);
        let mut listing = Self::default();
        let mut nodes = nodes.clone();
        let (step, mut failures) = Step::start_on_available(terms, &mut nodes)?;
        if let Some(mut step) = step {
            step.send(&Request::List)?;
            failures
                .extend(step.gather(&nodes, &mut |node, reply| listing.record_reply(node, reply))?);
        }
        listing.failed.extend(failures.into_iter().map(Failed::from));
        Ok(listing)
    }

    /// Records a reply; returns true if it is the last reply of this node.
    fn record_reply(&mut self, node: &str, reply: Reply) -> bool {
        match reply {
            Reply::Has(copy) => {
                self.copies.entry(copy).or_default().insert(node.to_owned());
                return false;
            }
            Reply::Listed => drop(self.nodes.insert(node.to_owned())),
            Reply::Failed { error, .. } => {
                self.failed.push(Failed { node: node.to_owned(), error });
            }
            _ => return false,
        }
        true
    }

    /// Prints the list. If `wanted` is not empty, the list is limited to those references,
    /// including references that no node has.
    ///
    /// # Errors
    /// Writing to standard output fails, or Slurm cannot fold the node names.
    pub(super) fn print(
        self,
        root: &Path,
        others: &Settings,
        wanted: &[Reference],
        json: bool,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let rows = rows(self.copies, wanted, &|copy| state(others, copy));
        if json {
            let (nodes, failed) = (self.nodes, self.failed);
            return output::json(&Object { root, nodes, images: rows, failed });
        }
        if !rows.is_empty() {
            output::print(&table(&rows)?.text())?;
        }
        let answered = match self.nodes.is_empty() {
            true => "no node".to_owned(),
            false => nodes::fold(&self.nodes)?,
        };
        let there = rows.iter().filter(|row| !row.nodes.is_empty()).count();
        let images = if there == 1 { "image" } else { "images" };
        output::print(&format!(
            "{there} {images} under {} of {answered}\n",
            escape_for_terminal(root)
        ))?;
        for Failed { node, error } in &self.failed {
            progress.note(&format!("{node}: {error}"));
        }
        Ok(())
    }
}

impl From<NodeFailure> for Failed {
    fn from(failure: NodeFailure) -> Self {
        Self { node: failure.node, error: failure.error }
    }
}

fn rows(
    copies: BTreeMap<Copy, Nodes>,
    wanted: &[Reference],
    state: &dyn Fn(&Copy) -> State,
) -> Vec<Row> {
    let wanted: Vec<String> = wanted.iter().map(image_name::short).collect();
    let row = |(copy, nodes): (Copy, Nodes)| {
        let state = state(&copy);
        Row { reference: copy.reference, size: copy.size, sha256: copy.sha256, state, nodes }
    };
    let is_wanted = |row: &Row| wanted.is_empty() || wanted.contains(&row.reference);
    let mut rows: Vec<Row> = copies.into_iter().map(row).filter(is_wanted).collect();
    for reference in wanted {
        if !rows.iter().any(|row| row.reference == reference) {
            let (sha256, nodes) = (None, Nodes::new());
            rows.push(Row { reference, size: 0, sha256, state: State::Unknown, nodes });
        }
    }
    rows
}

/// Compares by size and recorded SHA-256, without reading the images.
fn state(others: &Settings, copy: &Copy) -> State {
    let Ok(reference) = image_name::parse(&copy.reference) else { return State::Unknown };
    let Some(path) = lookup::find(others, &reference) else { return State::LocalOnly };
    let Ok(metadata) = path.metadata() else { return State::Unknown };
    if metadata.len() != copy.size {
        return State::Differs;
    }
    let recorded = source::record(others, &path, &metadata).map(|record| record.sha256);
    match (recorded, &copy.sha256) {
        (Some(one), Some(other)) if one == *other => State::Current,
        (Some(_), Some(_)) => State::Differs,
        _ => State::Unknown,
    }
}

fn table(rows: &[Row]) -> Result<Table, Failure> {
    let mut table = Table::new(&[
        ("REFERENCE", Align::Left),
        ("SIZE", Align::Right),
        ("STATE", Align::Left),
        ("NODES", Align::Left),
    ]);
    for row in rows {
        let reference = escape_for_terminal(row.reference.as_ref());
        table.row(match row.nodes.is_empty() {
            true => vec![reference, "-".to_owned(), "-".to_owned(), "none".to_owned()],
            false => {
                let nodes = nodes::fold(&row.nodes)?;
                vec![reference, format::size(row.size), row.state.word().to_owned(), nodes]
            }
        });
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::{Copy, Nodes, State, rows, state};
    use crate::cache::image_name;
    use crate::cache::store::tests::{sif, store};
    use crate::commands::stage::message::Reply;
    use sif_fixture::SMALLEST;
    use sifcache_core::settings::{Settings, Untrusted};

    fn copy(reference: &str, size: u64) -> Copy {
        Copy { reference: reference.to_owned(), size, sha256: None }
    }

    #[test]
    fn nodes_with_the_same_copy_are_one_line() {
        let mut listing = super::Listing::default();
        for (node, size) in [("n1", 1), ("n3", 1), ("n2", 2)] {
            assert!(!listing.record_reply(node, Reply::Has(copy("o/i:1", size))));
            assert!(listing.record_reply(node, Reply::Listed));
        }
        let wanted = ["o/i:1", "o/i:2"].map(|text| image_name::parse(text).unwrap());
        let rows = rows(listing.copies, &wanted, &|_| State::Current);
        let lines: Vec<(&str, u64, usize)> =
            rows.iter().map(|row| (row.reference.as_str(), row.size, row.nodes.len())).collect();
        assert_eq!(lines, [("o/i:1", 1, 2), ("o/i:1", 2, 1), ("o/i:2", 0, 0)]);
        assert_eq!(
            listing.nodes,
            ["n1", "n2", "n3"].map(str::to_owned).into_iter().collect::<Nodes>()
        );
    }

    #[test]
    fn copies_are_compared_with_the_other_roots() {
        let (directory, store) = store();
        let mut others = Settings::with_roots(vec![directory.path().to_owned()]);
        others.untrusted = Untrusted::Accept;
        sif(&store.path("o/i:1"), 1);
        assert_eq!(state(&others, &copy("o/i:2", SMALLEST)), State::LocalOnly);
        assert_eq!(state(&others, &copy("o/i:1", 127)), State::Differs);
        // There is no record, and the image is not read for the comparison.
        assert_eq!(state(&others, &copy("o/i:1", SMALLEST)), State::Unknown);
    }
}
