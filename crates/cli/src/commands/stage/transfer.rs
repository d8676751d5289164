//! Controls the staging: queries all nodes, sends the missing images, and lets the nodes check
//! them.
//!
//! sbcast sends to all nodes of a step, and fails for all of them if one node cannot receive the
//! file. Images that are missing on the same set of nodes therefore share a step. After a failure,
//! the step ends, and the remaining nodes get a new one. The number of nodes decreases each time,
//! so this terminates.

use super::broadcast::{self, Broken, Sent};
use super::message::{Item, Order, Said};
use super::nodes::Nodes;
use super::outcome::{Outcomes, Status};
use super::source::Source;
use super::stderr_lines::Lines;
use super::step::{Lost, Step, Terms};
use crate::error::{Exit, Failure};
use crate::ui::progress::Progress;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Instant;

/// The state of a staging.
pub(crate) struct Course<'a, 'p> {
    terms: Terms<'a>,
    sources: &'a [Source],
    progress: &'a Progress,
    outcomes: &'a mut Outcomes<'p>,
    /// The nodes that lack an image, by the image's index in `sources`.
    todo: BTreeMap<usize, Nodes>,
    places: u32,
}

impl<'a, 'p> Course<'a, 'p> {
    pub(crate) fn new(
        terms: Terms<'a>,
        sources: &'a [Source],
        progress: &'a Progress,
        outcomes: &'a mut Outcomes<'p>,
    ) -> Self {
        Self { terms, sources, progress, outcomes, todo: BTreeMap::new(), places: 0 }
    }

    /// Queries all nodes, and sends them the missing images, unless this is a `trial`.
    ///
    /// # Errors
    /// Failures that affect all nodes: Slurm is unavailable, a signal asked the command to stop, or
    /// standard output fails.
    pub(crate) fn run(&mut self, nodes: &Nodes, trial: bool) -> Result<(), Failure> {
        self.look(nodes, trial)?;
        while let Some(nodes) = self.todo.values().next().cloned().filter(|_| !trial) {
            self.round(&nodes)?;
            self.todo.retain(|_, nodes| !nodes.is_empty());
        }
        Ok(())
    }

    fn look(&mut self, nodes: &Nodes, trial: bool) -> Result<(), Failure> {
        let task = self.progress.on_terminal("asking the nodes for their images", 0);
        let mut nodes = nodes.clone();
        let (step, lost) = Step::start_where_it_goes(self.terms, &mut nodes)?;
        lost.iter().try_for_each(|lost| self.lost(lost))?;
        let Some(mut step) = step else { return Ok(()) };
        let items: Vec<Item> = self.sources.iter().map(|source| source.item.clone()).collect();
        step.tell(&Order::Look { items })?;
        let mut answers: HashMap<String, Vec<Said>> = HashMap::new();
        let silent = step.gather(&nodes, &mut |node, said| {
            let of_it = answers.entry(node.to_owned()).or_default();
            let is_all = matches!(said, Said::Failed { reference: None, .. });
            of_it.push(said);
            is_all || of_it.len() == self.sources.len()
        })?;
        drop(task);
        for node in nodes {
            for said in answers.remove(&node).unwrap_or_default() {
                self.note(&node, said, trial)?;
            }
        }
        silent.iter().try_for_each(|lost| self.lost(lost))
    }

    fn note(&mut self, node: &str, said: Said, trial: bool) -> Result<(), Failure> {
        let of = |name: &str| {
            let index = self.sources.iter().position(|source| source.item.reference == name)?;
            Some((index, self.sources.get(index)?.item.size))
        };
        match said {
            Said::Present { reference } => {
                let Some((_, size)) = of(&reference) else { return Ok(()) };
                self.outcomes.good(Status::Present, node, &reference, size, None)
            }
            Said::Missing { reference } => {
                let Some((index, size)) = of(&reference) else { return Ok(()) };
                if trial {
                    return self.outcomes.good(Status::WouldStage, node, &reference, size, None);
                }
                self.todo.entry(index).or_default().insert(node.to_owned());
                Ok(())
            }
            Said::Failed { reference, exit, error } => {
                self.outcomes.bad(Some(node), reference.as_deref(), exit, &error)
            }
            _ => Ok(()),
        }
    }

    /// Sends all images that are missing on exactly these nodes, in one step.
    fn round(&mut self, nodes: &Nodes) -> Result<(), Failure> {
        let (mut step, lost) = Step::start(self.terms, nodes)?;
        if !lost.is_empty() {
            return lost.iter().try_for_each(|lost| self.lost(lost));
        }
        let theirs: Vec<usize> =
            self.todo.iter().filter(|(_, of)| *of == nodes).map(|(index, _)| *index).collect();
        for index in theirs {
            if !self.one(&mut step, index, nodes)? {
                break;
            }
        }
        Ok(())
    }

    /// Sends one image. Returns false if the step cannot be used any more.
    fn one(&mut self, step: &mut Step, index: usize, nodes: &Nodes) -> Result<bool, Failure> {
        let sources = self.sources;
        let Some(source) = sources.get(index) else { return Ok(true) };
        let begun = Instant::now();
        self.places += 1;
        let place = format!("stage.{}.{}", self.terms.job, self.places);
        step.tell(&Order::Prepare { item: source.item.clone(), place: place.clone() })?;
        if !self.hear(step, index, nodes, &Said::Prepared, &mut |_, _| Ok(()))? {
            return Ok(false);
        }
        if !self.send(step, index, nodes, &place)? {
            return Ok(false);
        }
        step.tell(&Order::Settle)?;
        let item = &source.item;
        let useful = self.hear(step, index, nodes, &Said::Staged, &mut |node, outcomes| {
            let (reference, took) = (&item.reference, Some(begun.elapsed()));
            outcomes.good(Status::Staged, node, reference, item.size, took)
        })?;
        self.todo.remove(&index);
        Ok(useful)
    }

    /// Waits until all nodes have replied with `word` or failed, and calls `good` for each node
    /// that replied with `word`. Returns false if any node failed.
    fn hear(
        &mut self,
        step: &mut Step,
        index: usize,
        nodes: &Nodes,
        word: &Said,
        good: &mut dyn FnMut(&str, &mut Outcomes<'_>) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let mut failed = Vec::new();
        let mut printed = Ok(());
        let outcomes = &mut *self.outcomes;
        let silent = step.gather(nodes, &mut |node, said| match said {
            said if said == *word => {
                let now = good(node, outcomes);
                printed = std::mem::replace(&mut printed, Ok(())).and(now);
                true
            }
            Said::Failed { exit, error, .. } => {
                failed.push((node.to_owned(), exit, error));
                true
            }
            _ => false,
        })?;
        printed?;
        for (node, exit, error) in &failed {
            self.failed(node, index, *exit, error)?;
        }
        silent.iter().try_for_each(|lost| self.lost(lost))?;
        Ok(failed.is_empty() && silent.is_empty())
    }

    /// Broadcasts the file. Returns false if some nodes did not receive it.
    fn send(
        &mut self,
        step: &mut Step,
        index: usize,
        nodes: &Nodes,
        place: &str,
    ) -> Result<bool, Failure> {
        let Some(source) = self.sources.get(index) else { return Ok(true) };
        let lines = Lines::new(self.progress, &source.item, nodes)?;
        let to: PathBuf = self.terms.root.join(super::PLACES).join(place).join(super::FILE);
        let target = format!("{}.{}", self.terms.job, step.id());
        let mut meanwhile = || {
            step.overhear(&mut |node, said| {
                if let Said::Came { bytes } = said {
                    lines.came(node, bytes);
                }
            })
        };
        match broadcast::send(&target, &source.path, &to, &mut meanwhile)? {
            Sent::Whole => return Ok(true),
            Sent::Broken(broken) => self.broken(&broken, index, nodes)?,
            Sent::Deserted => {
                let lost = step.gather(nodes, &mut |_, _| false)?;
                lost.iter().try_for_each(|lost| self.lost(lost))?;
            }
        }
        Ok(false)
    }

    /// Records a failed broadcast: the nodes that sbcast named have failed, or all nodes if it
    /// named none.
    fn broken(&mut self, broken: &Broken, index: usize, nodes: &Nodes) -> Result<(), Failure> {
        let named = nodes.iter().any(|node| broken.blamed.contains_key(node));
        for node in nodes {
            let why = broken.blamed.get(node).or(if named { None } else { Some(&broken.why) });
            if let Some(why) = why {
                self.failed(node, index, Exit::CANT_CREATE, &format!("sbcast: {why}"))?;
            }
        }
        Ok(())
    }

    /// Records that an image cannot be staged to a node.
    fn failed(&mut self, node: &str, index: usize, exit: Exit, error: &str) -> Result<(), Failure> {
        if let Some(nodes) = self.todo.get_mut(&index) {
            nodes.remove(node);
        }
        let reference = self.sources.get(index).map(|source| source.item.reference.as_str());
        self.outcomes.bad(Some(node), reference, exit, error)
    }

    /// Records that a node cannot be used any more.
    fn lost(&mut self, lost: &Lost) -> Result<(), Failure> {
        for nodes in self.todo.values_mut() {
            nodes.remove(&lost.node);
        }
        self.outcomes.lost(lost)
    }
}
