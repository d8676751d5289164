//! The boundary to Slurm, and the only unsafe code of the plugin.
//!
//! | file | holds |
//! | --- | --- |
//! | `export.rs` | the symbols that Slurm calls, each a panic firewall |
//! | `handle.rs` | calls to Slurm, through `slurm_spank::spank_sys` |
//! | `argv.rs` | reads C string arrays and replaces an entry |
//! | `allocator.rs` | strings that Slurm can free |
//! | `cached_files.rs` | opens and reads files from the kernel's caches |
//! | `container.rs` | whether the step runs in a container |
//! | `environment.rs`, `found_variables.rs` | the task's environment |
//! | `arena.rs` | memory of the plugin's own, for tasks close to a memory limit |
//! | `memory.rs` | whether enough memory is left |
//! | `arg_limits.rs` | the kernel's limit on argv plus environment |
//! | `slurm_log.rs` | Slurm's log |
//! | `line.rs` | which of several plugin lines in plugstack.conf is used |
//! | `installed.rs`, `runtimes.rs` | the shim's files and the runtimes on this node |
//! | `prepend.rs` | `spank_prepend_task_argv`, which older Slurm releases lack |
//! | `local_socket.rs` | connections between processes of this node, and datagrams |
//! | `process.rs` | this process: environment, limits, files, exit |
//! | `program.rs` | starts a program |
//! | `signals.rs` | the actions of signals that a task inherits |
//! | `helper_process.rs`, `helper_process/` | runs work that may block forever in a child process |
//!
//! The rest of the plugin uses the trait [`Spank`], so that hooks can be tested without Slurm, with
//! a test double.
#![allow(unsafe_code)]

mod allocator;
mod arena;
mod arg_limits;
mod argv;
mod cached_files;
mod container;
mod environment;
mod export;
mod found_variables;
mod handle;
mod helper_process;
pub(crate) mod installed;
mod line;
mod local_socket;
mod memory;
mod prepend;
mod process;
mod program;
pub(crate) mod runtimes;
mod signals;
mod slurm_log;

#[cfg(test)]
pub(crate) mod stubs;
#[cfg(test)]
pub(crate) mod test_double;

pub(crate) use cached_files::{cached_attributes, local_attributes};
pub(crate) use cached_files::{open_cached, open_cached_at, read_cached};
pub(crate) use found_variables::BROADCAST;
pub(crate) use helper_process::{Exiting, within, within_and_exiting};
pub(crate) use local_socket::{accept, connect, listen, peer_uid, receive, send};
pub(crate) use local_socket::{datagram_socket, send_to};
pub(crate) use process::{known_attributes, may_execute, open_at, stderr_is_terminal};
pub(crate) use process::{process_id, set_name};
pub(crate) use program::{Program, inherit};
pub(crate) use signals::DefaultSignals;

pub(crate) use slurm_log::{is_shown, log as slurm_log};

use crate::job::{Error, Job};
use crate::spank::installed::Component;
use crate::spank::runtimes::Located;

/// The context in which Slurm runs the plugin: `enum spank_context`.
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
    /// slurmd's job script context, or one that a newer Slurm has added.
    Other,
}

/// The functions of Slurm that hooks use.
pub(crate) trait Spank: Job {
    /// The context of this call.
    fn context(&self) -> Context;
    /// The arguments after the plugin's path in plugstack.conf.
    fn arguments(&self) -> Vec<&[u8]>;
    /// Whether this call is for the first line of this plugin in plugstack.conf. The other lines
    /// are ignored.
    fn is_first_line(&self) -> bool;
    /// Registers `--sif-cache`.
    ///
    /// # Errors
    /// Slurm refused the registration.
    fn register_option(&self) -> Result<(), Error>;
    /// The value of `--sif-cache`, if the user gave one. Valid only in a task.
    fn option(&self) -> Option<Vec<u8>>;
    /// Whether the task's argv and environment may grow by `bytes`: the kernel's limit allows it,
    /// and enough memory is left for Slurm to change them. Valid only in a task.
    fn fits_in_exec_limit(&self, bytes: usize) -> bool;
    /// Whether Slurm will run the task's command in a container. Valid only in a task.
    fn is_in_container(&self) -> bool;
    /// The argv of this process. In srun, it contains the options of srun and the command.
    fn command_line(&self) -> Vec<Vec<u8>>;
    /// Sets an environment variable. In a task, it is set for the task; in srun and in an
    /// allocator, for the processes that they start.
    ///
    /// # Errors
    /// The name or the value contains a null byte, or Slurm or the C library refused the change.
    fn set_variable(&self, name: &str, value: &[u8]) -> Result<(), Error>;
    /// Removes a variable from the environment that [`Spank::set_variable`] changes.
    ///
    /// # Errors
    /// As for [`Spank::set_variable`].
    fn unset_variable(&self, name: &str) -> Result<(), Error>;
    /// Prepends `words` to the task's own argv, also under `--multi-prog`.
    ///
    /// # Errors
    /// This Slurm has no such function, a word contains a null byte, the result would exceed a
    /// limit, or Slurm refused it.
    fn prepend(&self, words: &[&[u8]]) -> Result<(), Error>;
    /// Whether a component of the shim is installed on this node. Checked once per process.
    fn is_installed(&self, part: Component) -> bool;
    /// Why a component cannot be used; `None` if it can.
    fn missing(&self, part: Component) -> Option<String>;
    /// Searches the task's environment for the variables that most tasks read. This only saves time:
    /// [`Job::variable`] has the same result without it. Valid only in a task.
    fn search_variables(&self) {}
    /// Looks up the symbols of slurmstepd that its tasks use, before they are forked. Valid only in
    /// slurmstepd.
    fn look_up_symbols(&self);
    /// Looks for runtimes in the system's directories, before tasks are forked. Valid only in
    /// slurmstepd.
    fn search_system_directories(&self, names: &[String]);
    /// The runtimes in `names` that are found in `path`, a value of `PATH`. Valid only in a task.
    fn runtimes(&self, names: &[String], path: &[u8]) -> Vec<Located>;
}
