//! The boundary to Slurm, and the only unsafe code of the plugin.
//!
//! | file | holds |
//! | --- | --- |
//! | `export.rs` | the symbols that Slurm calls, each a panic firewall |
//! | `handle.rs` | what we ask of Slurm, over `slurm_spank::spank_sys` |
//! | `argv.rs` | C arrays of strings, and the replacement of an entry |
//! | `allocator.rs` | memory that Slurm can free |
//! | `container.rs` | whether the step runs in a container |
//! | `environment.rs` | the task's environment |
//! | `arena.rs`, `memory.rs` | memory, where there may be none left, and whether there is any |
//! | `arg_limits.rs` | the kernel's limit on argv plus environment |
//! | `slurm_log.rs` | Slurm's log |
//! | `line.rs` | which of several lines in plugstack.conf counts |
//! | `installed.rs`, `runtimes.rs` | the shim's files and the runtimes on this node |
//! | `prepend.rs` | a call that not every release of Slurm has |
//! | `process.rs` | this process: its environment, its sockets, its end |
//! | `helper_process.rs`, `helper_process/` | a child process for what may block without limit |
//!
//! The rest of the plugin sees the trait [`Spank`], so that hooks are tested with a
//! double and without Slurm.
#![allow(unsafe_code)]

mod allocator;
mod arena;
mod arg_limits;
mod argv;
mod container;
mod environment;
mod export;
mod handle;
mod helper_process;
pub(crate) mod installed;
mod line;
mod memory;
mod prepend;
mod process;
pub(crate) mod runtimes;
mod slurm_log;

#[cfg(test)]
pub(crate) mod stubs;
#[cfg(test)]
pub(crate) mod test_double;

pub(crate) use helper_process::within;
pub(crate) use process::{datagram_socket, may_execute};

pub(crate) use slurm_log::{is_shown, log as slurm_log};

use crate::job::{Error, Job};
use crate::spank::installed::Component;
use crate::spank::runtimes::Located;

/// Where Slurm runs us: `enum spank_context`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// srun
    Local,
    /// salloc, sbatch
    Allocator,
    /// slurmstepd and the tasks it forks
    Remote,
    /// slurmd
    Slurmd,
    /// Job scripts of slurmd, or something newer than us.
    Other,
}

/// What hooks need of Slurm.
pub(crate) trait Spank: Job {
    fn context(&self) -> Context;
    /// What follows the plugin's name in plugstack.conf.
    fn arguments(&self) -> Vec<&[u8]>;
    /// Whether this call is for the line in plugstack.conf that counts: the first of ours.
    fn is_first_line(&self) -> bool;
    /// Adds `--sif-cache`.
    fn register_option(&self) -> Result<(), Error>;
    /// The value of `--sif-cache`, if the user gave one. In a task only.
    fn option(&self) -> Option<Vec<u8>>;
    /// Whether the task's command and environment may be so many bytes longer: for the
    /// kernel, and for the memory that Slurm takes to change them. In a task only.
    fn fits_in_exec_limit(&self, bytes: usize) -> bool;
    /// Whether the task's command will run in a container that Slurm makes. In a task only.
    fn is_in_container(&self) -> bool;
    /// The words that this process was started with. In srun: its options and the command.
    fn command_line(&self) -> Vec<Vec<u8>>;
    /// Sets a variable: of the task, or in srun and an allocator of what they start.
    fn set_variable(&self, name: &str, value: &[u8]) -> Result<(), Error>;
    /// Removes such a variable.
    fn unset_variable(&self, name: &str) -> Result<(), Error>;
    /// Puts words in front of the task's own command, also under `--multi-prog`.
    fn prepend(&self, words: &[&[u8]]) -> Result<(), Error>;
    /// Whether a part of the shim is on this node. Looks once a process.
    fn is_there(&self, part: Component) -> bool;
    /// Why it is not, if it is not.
    fn missing(&self, part: Component) -> Option<String>;
    /// Looks for runtimes where every task would look. In slurmstepd only.
    fn look_for_runtimes(&self, names: &[String]);
    /// The runtimes of these names in a `PATH`. In a task only.
    fn runtimes(&self, names: &[String], path: &[u8]) -> Vec<Located>;
}
