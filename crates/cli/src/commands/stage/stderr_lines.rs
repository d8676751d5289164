//! What moves on the terminal while a file is sent.

use super::message::Item;
use super::nodes::{self, Nodes};
use crate::error::Failure;
use crate::ui::progress::{Progress, Task};
use std::cell::Cell;
use std::collections::BTreeMap;

/// More lines than that nobody reads.
const LINES: usize = 32;

/// A line for each node, if there are not too many, and one for all.
pub(super) struct Lines {
    nodes: BTreeMap<String, (Task, Cell<u64>)>,
    _all: Task,
}

impl Lines {
    /// Shows that an image is being sent.
    ///
    /// # Errors
    /// If Slurm does not fold the names of the nodes.
    pub(super) fn new(progress: &Progress, item: &Item, nodes: &Nodes) -> Result<Self, Failure> {
        let line = |node: &String| {
            let task = progress.on_terminal(&format!("{node}  {}", item.reference), item.size);
            (node.clone(), (task, Cell::new(0)))
        };
        let all = format!("sending {} to {}", item.reference, nodes::fold(nodes)?);
        let nodes =
            if nodes.len() > LINES { BTreeMap::new() } else { nodes.iter().map(line).collect() };
        Ok(Self { nodes, _all: progress.start(&all) })
    }

    /// So many bytes have come to a node.
    pub(super) fn came(&self, node: &str, bytes: u64) {
        if let Some((task, before)) = self.nodes.get(node) {
            task.advance(bytes.saturating_sub(before.replace(bytes)));
        }
    }
}
