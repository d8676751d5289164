//! Progress lines on the terminal during a broadcast.

use super::message::Item;
use super::nodes::{self, Nodes};
use crate::error::Failure;
use crate::ui::progress::{Progress, Task};
use std::cell::Cell;
use std::collections::BTreeMap;

/// With more nodes than this, the individual lines are omitted, because nobody can read that many.
const LINES: usize = 32;

/// One line per node, if there are not too many, and one line for the whole broadcast.
pub(super) struct Lines {
    nodes: BTreeMap<String, (Task, Cell<u64>)>,
    _all: Task,
}

impl Lines {
    /// Starts the progress lines of an image.
    ///
    /// # Errors
    /// Slurm cannot fold the node names.
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

    /// Updates the number of bytes that a node has received.
    pub(super) fn received(&self, node: &str, bytes: u64) {
        if let Some((task, before)) = self.nodes.get(node) {
            task.advance(bytes.saturating_sub(before.replace(bytes)));
        }
    }
}
