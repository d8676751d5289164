//! `srun --bcast` of a runtime: the task executes a copy under another name.
//!
//! srun passes the runtime's name in a variable (`srun.rs`). The task's command is decided on as if
//! `argv[0]` were that name. The command itself keeps the path of the copy.

use crate::job::{Error, Job, Step};
use crate::spank::Spank;
use std::path::Path;

/// The variable with the name of the runtime that is copied. Slurm passes on variables that begin
/// with `SLURM`, whatever `--export` says.
pub(crate) const PROGRAM: &str = "SLURM_SIFCACHE_BROADCAST";

/// A task whose program is a copy.
pub(crate) struct Broadcast<'a> {
    spank: &'a dyn Spank,
    name: Vec<u8>,
}

impl<'a> Broadcast<'a> {
    /// Returns the task if srun has set the variable. The variable is removed, because a program
    /// that the task starts is not the copy.
    pub(crate) fn take(spank: &'a dyn Spank) -> Option<Self> {
        let name = spank.variable(PROGRAM)?;
        if let Err(error) = spank.unset_variable(PROGRAM) {
            log::warn!("cannot remove {PROGRAM} of the task: {error}");
        }
        Some(Self { spank, name })
    }
}

/// Everything except `argv[0]` is that of the task.
impl Job for Broadcast<'_> {
    fn command(&self) -> Vec<&[u8]> {
        let mut command = self.spank.command();
        if let Some(first) = command.first_mut() {
            *first = &self.name;
        }
        command
    }

    fn replace(&self, index: usize, path: &Path) -> Result<(), Error> {
        self.spank.replace(index, path)
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.spank.variable(name)
    }

    fn step(&self) -> Step {
        self.spank.step()
    }

    fn tell_user(&self, text: &str) {
        self.spank.tell_user(text);
    }

    fn end(&self, status: i32) {
        self.spank.end(status);
    }
}
