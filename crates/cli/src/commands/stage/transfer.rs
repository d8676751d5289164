//! Controls the staging: queries all nodes, sends the missing images, and has the nodes check them.
//!
//! sbcast sends a file to all nodes of a step, and fails for all of them if one node cannot receive
//! the file. Images that are missing on the same set of nodes therefore share a step. After a
//! failure, the step ends, and a new step is started on the remaining nodes. The number of nodes
//! decreases each time, so this terminates.

use super::broadcast::{self, Broken, Sent};
use super::message::{Item, Reply, Request};
use super::nodes::Nodes;
use super::outcome::{Outcomes, Status};
use super::progress_lines::Lines;
use super::source::Source;
use super::step::{NodeFailure, Step, Terms};
use crate::error::Failure;
use crate::exit::Exit;
use crate::system::signals;
use crate::ui::progress::Progress;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// The shortest pause before an attempt to send an image on which another command is working.
const PAUSE: Duration = Duration::from_secs(1);

/// The state of one staging run.
pub(crate) struct Transfer<'a, 'p> {
    terms: Terms<'a>,
    sources: &'a [Source],
    progress: &'a Progress,
    outcomes: &'a mut Outcomes<'p>,
    /// The nodes that lack an image, by the image's index in `sources`.
    todo: BTreeMap<usize, Nodes>,
    places: u32,
    /// A node on which another command is working on an image, and that image.
    busy: Option<(String, usize)>,
}

impl<'a, 'p> Transfer<'a, 'p> {
    pub(crate) fn new(
        terms: Terms<'a>,
        sources: &'a [Source],
        progress: &'a Progress,
        outcomes: &'a mut Outcomes<'p>,
    ) -> Self {
        Self { terms, sources, progress, outcomes, todo: BTreeMap::new(), places: 0, busy: None }
    }

    /// Queries all nodes, and sends them the missing images unless `trial` is set.
    ///
    /// # Errors
    /// Failures that affect all nodes: Slurm is unavailable, a signal asked the command to stop, or
    /// writing to standard output fails.
    pub(crate) fn run(&mut self, nodes: &Nodes, trial: bool) -> Result<(), Failure> {
        self.query(nodes, trial)?;
        while let Some(nodes) = self.todo.values().next().cloned().filter(|_| !trial) {
            self.round(&nodes)?;
            self.todo.retain(|_, nodes| !nodes.is_empty());
            self.pause()?;
        }
        Ok(())
    }

    /// Waits for a while if another command is working on an image. That command may be waiting for
    /// a node of this one, so the locks on all nodes are free meanwhile, and the time is random.
    fn pause(&mut self) -> Result<(), Failure> {
        let Some((node, index)) = self.busy.take() else { return Ok(()) };
        let name = self.sources.get(index).map_or("", |source| source.item.reference.as_str());
        self.progress.note(&format!("{node}: another command is working on {name}; waiting"));
        let random = u64::from(Timestamp::now().subsec_nanosecond().unsigned_abs());
        let pause = PAUSE + Duration::from_nanos(random.saturating_mul(3));
        let begun = Instant::now();
        while begun.elapsed() < pause {
            signals::check()?;
            thread::sleep(PAUSE / 10);
        }
        Ok(())
    }

    fn query(&mut self, nodes: &Nodes, trial: bool) -> Result<(), Failure> {
        let task = self.progress.on_terminal("listing the images on the nodes", 0);
        let mut nodes = nodes.clone();
        let (step, failures) = Step::start_on_available(self.terms, &mut nodes)?;
        failures.iter().try_for_each(|failure| self.node_failed(failure))?;
        let Some(mut step) = step else { return Ok(()) };
        let items: Vec<Item> = self.sources.iter().map(|source| source.item.clone()).collect();
        step.send(&Request::Query { items })?;
        let mut answers: HashMap<String, Vec<Reply>> = HashMap::new();
        let silent = step.gather(&nodes, &mut |node, reply| {
            let of_it = answers.entry(node.to_owned()).or_default();
            let is_all = matches!(reply, Reply::Failed { reference: None, .. });
            of_it.push(reply);
            is_all || of_it.len() == self.sources.len()
        })?;
        drop(task);
        for node in nodes {
            for reply in answers.remove(&node).unwrap_or_default() {
                self.note(&node, reply, trial)?;
            }
        }
        silent.iter().try_for_each(|failure| self.node_failed(failure))
    }

    fn note(&mut self, node: &str, reply: Reply, trial: bool) -> Result<(), Failure> {
        let of = |name: &str| {
            let index = self.sources.iter().position(|source| source.item.reference == name)?;
            Some((index, self.sources.get(index)?.item.size))
        };
        match reply {
            Reply::Present { reference } => {
                let Some((_, size)) = of(&reference) else { return Ok(()) };
                self.outcomes.good(Status::Present, node, &reference, size, None)
            }
            Reply::Missing { reference } => {
                let Some((index, size)) = of(&reference) else { return Ok(()) };
                if trial {
                    return self.outcomes.good(Status::WouldStage, node, &reference, size, None);
                }
                self.todo.entry(index).or_default().insert(node.to_owned());
                Ok(())
            }
            Reply::Failed { reference, exit, error } => {
                self.outcomes.failed(Some(node), reference.as_deref(), exit, &error)
            }
            _ => Ok(()),
        }
    }

    /// Sends all images that are missing on exactly these nodes, in one step.
    fn round(&mut self, nodes: &Nodes) -> Result<(), Failure> {
        let (mut step, failures) = Step::start(self.terms, nodes)?;
        if !failures.is_empty() {
            return failures.iter().try_for_each(|failure| self.node_failed(failure));
        }
        let indexes: Vec<usize> =
            self.todo.iter().filter(|(_, of)| *of == nodes).map(|(index, _)| *index).collect();
        for index in indexes {
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
        step.send(&Request::Prepare { item: source.item.clone(), place: place.clone() })?;
        if !self.await_reply(step, index, nodes, &Reply::Prepared, &mut |_, _| Ok(()))? {
            return Ok(false);
        }
        if !self.send(step, index, nodes, &place)? {
            return Ok(false);
        }
        step.send(&Request::Commit)?;
        let item = &source.item;
        let useful =
            self.await_reply(step, index, nodes, &Reply::Staged, &mut |node, outcomes| {
                let (reference, took) = (&item.reference, Some(begun.elapsed()));
                outcomes.good(Status::Staged, node, reference, item.size, took)
            })?;
        self.todo.remove(&index);
        Ok(useful)
    }

    /// Waits until all nodes have replied with `expected` or failed, and calls `good` for each node
    /// that replied with `expected`. Returns false if any node failed, or has received the image from
    /// another command.
    fn await_reply(
        &mut self,
        step: &mut Step,
        index: usize,
        nodes: &Nodes,
        expected: &Reply,
        good: &mut dyn FnMut(&str, &mut Outcomes<'_>) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let (mut failed, mut present) = (Vec::new(), Vec::new());
        let mut printed = Ok(());
        let outcomes = &mut *self.outcomes;
        let silent = step.gather(nodes, &mut |node, reply| match reply {
            reply if reply == *expected => {
                let now = good(node, outcomes);
                printed = std::mem::replace(&mut printed, Ok(())).and(now);
                true
            }
            Reply::Failed { exit, error, .. } => {
                failed.push((node.to_owned(), exit, error));
                true
            }
            Reply::Present { .. } => {
                present.push(node.to_owned());
                true
            }
            _ => false,
        })?;
        printed?;
        present.iter().try_for_each(|node| self.present(node, index))?;
        for (node, exit, error) in &failed {
            match *exit {
                Exit::TRY_AGAIN => self.busy = Some((node.clone(), index)),
                exit => self.failed(node, index, exit, error)?,
            }
        }
        silent.iter().try_for_each(|failure| self.node_failed(failure))?;
        Ok(failed.is_empty() && present.is_empty() && silent.is_empty())
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
            step.drain_replies(&mut |node, reply| {
                if let Reply::Received { bytes } = reply {
                    lines.received(node, bytes);
                }
            })
        };
        match broadcast::send(&target, &source.path, &to, &mut meanwhile)? {
            Sent::Whole => return Ok(true),
            Sent::Broken(broken) => self.broken(&broken, index, nodes)?,
            Sent::StepEnded => {
                let failures = step.gather(nodes, &mut |_, _| false)?;
                failures.iter().try_for_each(|failure| self.node_failed(failure))?;
            }
        }
        Ok(false)
    }

    /// Records a failed broadcast: the nodes that sbcast named have failed, or all nodes if it
    /// named none.
    fn broken(&mut self, broken: &Broken, index: usize, nodes: &Nodes) -> Result<(), Failure> {
        let named = nodes.iter().any(|node| broken.failed_nodes.contains_key(node));
        for node in nodes {
            let why =
                broken.failed_nodes.get(node).or(if named { None } else { Some(&broken.why) });
            if let Some(why) = why {
                self.failed(node, index, Exit::CANT_CREATE, &format!("sbcast: {why}"))?;
            }
        }
        Ok(())
    }

    /// Records that a node has the image, because another command has just staged it there.
    fn present(&mut self, node: &str, index: usize) -> Result<(), Failure> {
        if let Some(nodes) = self.todo.get_mut(&index) {
            nodes.remove(node);
        }
        let Some(Source { item, .. }) = self.sources.get(index) else { return Ok(()) };
        self.outcomes.good(Status::Present, node, &item.reference, item.size, None)
    }

    /// Records that an image cannot be staged to a node.
    fn failed(&mut self, node: &str, index: usize, exit: Exit, error: &str) -> Result<(), Failure> {
        if let Some(nodes) = self.todo.get_mut(&index) {
            nodes.remove(node);
        }
        let reference = self.sources.get(index).map(|source| source.item.reference.as_str());
        self.outcomes.failed(Some(node), reference, exit, error)
    }

    /// Records that a node cannot be used any more.
    fn node_failed(&mut self, failure: &NodeFailure) -> Result<(), Failure> {
        for nodes in self.todo.values_mut() {
            nodes.remove(&failure.node);
        }
        self.outcomes.node_failed(failure)
    }
}
