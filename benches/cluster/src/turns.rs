//! Runs the variants of an experiment on the login node, one at a time, in an order that the caller
//! chooses. Between them, the caller can look at the nodes.

use crate::experiment::Experiment;
use crate::inside;
use crate::testbed;
use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// One run of a variant.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// Wall-clock seconds.
    pub(crate) seconds: f64,
    /// Processor seconds of the commands.
    pub(crate) cpu: f64,
}

/// A process on the login node that waits for turns.
pub(crate) struct Turns {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Turns {
    /// Starts the process.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn of(experiment: &Experiment) -> Result<Self> {
        let mut command = testbed::inside_command("turns");
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let (mut input, output) = (input.context("no pipe")?, output.context("no pipe")?);
        writeln!(input, "{}", serde_json::to_string(experiment)?)?;
        Ok(Self { process, input, output: BufReader::new(output) })
    }

    /// Runs the variant with this index.
    ///
    /// # Errors
    /// It does not have the expected result.
    pub(crate) fn take(&mut self, at: usize) -> Result<Turn> {
        writeln!(self.input, "{at}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).context("a command failed: see above")
    }

    /// Ends the process.
    ///
    /// # Errors
    /// It failed.
    pub(crate) fn end(mut self) -> Result<()> {
        drop(self.input);
        self.process.wait().map(drop).map_err(Into::into)
    }
}

/// The process on the login node: reads an experiment from the first line of standard input, and
/// the index of a variant from each further line.
///
/// # Errors
/// A command does not have the expected result.
pub(crate) fn run() -> Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let first = lines.next().context("no experiment")??;
    let experiment: Experiment = serde_json::from_str(&first)?;
    let mut output = std::io::stdout().lock();
    for line in lines {
        let at: usize = line?.parse()?;
        let variant = experiment.variants.get(at).context("no such variant")?;
        let before = cpu_of_children()?;
        let seconds = inside::once(variant).with_context(|| variant.name.clone())?;
        let turn = Turn { seconds, cpu: cpu_of_children()? - before };
        writeln!(output, "{}", serde_json::to_string(&turn)?)?;
        output.flush()?;
    }
    Ok(())
}

/// Processor seconds of all children that have been waited for.
fn cpu_of_children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(microseconds as f64 / 1e6)
}
