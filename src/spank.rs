//! The boundary to Slurm, and the only unsafe code of the plugin.
//!
//! | file | holds |
//! | --- | --- |
//! | `export.rs` | the symbols that Slurm calls, each a panic firewall |
//! | `handle.rs` | what we ask of Slurm, over `slurm_spank::spank_sys` |
//! | `argv.rs` | C arrays of strings, and the replacement of a slot |
//! | `slurm_log.rs` | Slurm's log |
//! | `process.rs` | this process: its environment, its sockets, its end |
//!
//! The rest of the plugin sees the trait [`Spank`], so that hooks are tested with a
//! double and without Slurm.
#![allow(unsafe_code)]

mod argv;
mod export;
mod handle;
mod process;
mod slurm_log;

#[cfg(test)]
pub(crate) mod double;
#[cfg(test)]
pub(crate) mod stand_in;

pub(crate) use process::datagram_socket;
pub(crate) use slurm_log::log as slurm_log;

use std::fmt;
use std::path::Path;

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

/// The step that a task belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Step {
    pub(crate) job: u32,
    pub(crate) step: u32,
    pub(crate) uid: u32,
    /// Number of this node in the job, from 0.
    pub(crate) node: u32,
    /// Number of the step's tasks on this node.
    pub(crate) tasks: u32,
    /// Number of this task on this node, from 0.
    pub(crate) task: u32,
}

/// Steps that Slurm numbers from the top: `slurm.h`.
const BATCH_SCRIPT: u32 = 0xffff_fffb;
const INTERACTIVE_STEP: u32 = 0xffff_fffa;

impl Step {
    pub(crate) fn is_first_of_node(&self) -> bool {
        self.task == 0
    }

    /// The step as `sacct` writes it.
    pub(crate) fn name(&self) -> String {
        match self.step {
            BATCH_SCRIPT => "batch".to_owned(),
            INTERACTIVE_STEP => "interactive".to_owned(),
            number => number.to_string(),
        }
    }
}

/// What Slurm answered: an `ESPANK_` number, or that an argument is impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Error {
    Slurm(u32),
    Impossible(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slurm(number) => write!(f, "SPANK error {number}"),
            Self::Impossible(what) => f.write_str(what),
        }
    }
}

/// What hooks need of Slurm.
pub(crate) trait Spank {
    fn context(&self) -> Context;
    /// What follows the plugin's name in plugstack.conf.
    fn arguments(&self) -> Vec<&[u8]>;
    /// Adds `--sif-cache`.
    fn register_option(&self) -> Result<(), Error>;
    /// The value of `--sif-cache`, if the user gave one. In a task only.
    fn option(&self) -> Option<Vec<u8>>;
    /// The command of the step; nothing if Slurm has none for us.
    fn command(&self) -> Vec<&[u8]>;
    /// Makes `path` the argument with this index, for the `execve` that follows.
    fn replace(&self, index: usize, path: &Path) -> Result<(), Error>;
    /// A variable of the task's environment.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
    /// Sets a variable: of the task, or in an allocator of what it starts.
    fn set_variable(&self, name: &str, value: &str) -> Result<(), Error>;
    fn step(&self) -> Step;
    /// Writes to the task's own stderr.
    fn tell_user(&self, text: &str);
    /// Ends the task instead of its command. Returns only in tests.
    fn end_task(&self, status: i32);
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn steps_are_called_what_sacct_calls_them() {
        for (step, name) in
            [(0, "0"), (7, "7"), (4_294_967_291, "batch"), (4_294_967_290, "interactive")]
        {
            assert_eq!(Step { step, ..Step::default() }.name(), name);
        }
    }
}
