//! The subcommands, one file or directory each. Commands do not import each other.
//!
//! A new subcommand needs its own file and, in this module, a `mod` line, a variant of [`Command`]
//! and a call.

mod add;
mod complete;
mod completions;
mod doctor;
mod explain;
mod fill;
mod gc;
mod hits;
mod import;
mod list;
mod listen;
mod metrics;
mod misses;
mod probe;
mod queue;
mod refresh;
mod remove;
mod report;
mod request;
mod stage;
mod verify;
mod view;

use crate::error::Failure;
use crate::exit::Exit;
use clap::Subcommand;
use std::path::PathBuf;

/// The subcommands, in the order in which the help lists them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Add(add::Add),
    Import(import::Import),
    Fill(fill::Fill),
    List(list::List),
    Verify(verify::Verify),
    Refresh(refresh::Refresh),
    Remove(remove::Remove),
    Gc(gc::Gc),
    View(view::ViewCommand),
    Stage(stage::Stage),
    #[command(hide = true)]
    StageNode(stage::node::StageNode),
    Request(request::Request),
    Queue(queue::Queue),
    #[command(hide = true)]
    Listen(listen::Listen),
    Misses(misses::Misses),
    Hits(hits::Hits),
    Metrics(metrics::Metrics),
    Report(report::Report),
    Explain(explain::Explain),
    Doctor(doctor::Doctor),
    #[command(hide = true)]
    Probe(probe::Probe),
    #[command(hide = true)]
    CompleteReferences(complete::Complete),
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    #[command(hide = true)]
    Manpages {
        /// Output directory, which must exist
        directory: PathBuf,
    },
}

impl Command {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        match self {
            Self::Add(args) => add::run(args),
            Self::Import(args) => import::run(args),
            Self::Fill(args) => fill::run(args),
            Self::List(args) => list::run(args),
            Self::Verify(args) => verify::run(args),
            Self::Refresh(args) => refresh::run(args),
            Self::Remove(args) => remove::run(args),
            Self::Gc(args) => gc::run(args),
            Self::View(args) => view::run(args),
            Self::Stage(args) => stage::run(args),
            Self::StageNode(args) => stage::node::run(args),
            Self::Request(args) => request::run(args),
            Self::Queue(args) => queue::run(args),
            Self::Listen(args) => listen::run(args),
            Self::Misses(args) => misses::run(args),
            Self::Hits(args) => hits::run(args),
            Self::Metrics(args) => metrics::run(args),
            Self::Report(args) => report::run(args),
            Self::Explain(args) => explain::run(args),
            Self::Doctor(args) => doctor::run(args),
            Self::Probe(args) => Ok(probe::run(args)),
            Self::CompleteReferences(args) => Ok(complete::run(args)),
            Self::Completions { shell } => completions::completions(*shell),
            Self::Manpages { directory } => completions::manpages(directory),
        }
    }
}
