//! `srun --bcast` of a runtime: the task executes a copy under another name.
//!
//! srun knows the name and tells it by a variable (`srun.rs`); here the task's command is
//! decided on as if it had that name. The command itself keeps the path of the copy.

use crate::job::{Error, Job, Step};
use crate::spank::Spank;
use std::path::Path;

/// The variable with the name of the runtime that is copied. Whatever `--export` says, Slurm
/// passes on what begins with `SLURM`.
pub(crate) const PROGRAM: &str = "SLURM_SIFCACHE_BROADCAST";

/// A task whose program is a copy.
pub(crate) struct Broadcast<'a> {
    spank: &'a dyn Spank,
    name: Vec<u8>,
}

impl<'a> Broadcast<'a> {
    /// The task, if srun has told of a copy. The variable goes: what the task starts is no copy.
    pub(crate) fn take(spank: &'a dyn Spank) -> Option<Self> {
        let name = spank.variable(PROGRAM)?;
        if let Err(error) = spank.unset_variable(PROGRAM) {
            log::warn!("cannot remove {PROGRAM} of the task: {error}");
        }
        Some(Self { spank, name })
    }
}

/// All but the name is the task's.
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
