//! `spank_sifcache.so`: what Slurm loads.
//!
//! Slurm calls the symbols that [`spank`] exports; each lands in [`dispatch`], behind
//! a panic firewall. One file per thing that is done:
//!
//! | hook, context | file |
//! | --- | --- |
//! | `slurm_spank_init`, every context | `init.rs`: settings, `--sif-cache` |
//! | option callback, every context | `option.rs`: checks the value |
//! | `slurm_spank_init`, local | `srun.rs` too: `--bcast` and `--container` inside a covered job |
//! | `slurm_spank_local_user_init`, local | `srun.rs`: the name of a program that srun copies |
//! | `slurm_spank_task_init`, remote | `task.rs`: decides and replaces IMAGE; sets the environment |
//! | the same in a container | `container.rs`: leaves the command alone |
//!
//! A task's own command is decided on in `apply.rs`; the shim, `src/bin/sifcache-shim`,
//! uses the same for launches inside a script, which `nested.rs` leads to it.
//!
//! `slurmd`, `slurmstepd` and `srun` never touch an image root: every look-up is in
//! the task's own process, or in the helper process that it sends (`lookup_timeout.rs`), as the task's
//! user, right before its `execve`.

pub mod apply;
mod broadcast;
mod container;
mod fault;
mod init;
mod installed;
pub mod job;
mod logging;
mod lookup_timeout;
pub mod multi_prog;
mod nested;
mod option;
mod report;
pub mod requested_mode;
mod runtimes;
mod spank;
mod srun;
pub mod syslog;
mod task;

use spank::{Context, Spank};

/// The entry points of SPANK that do something here. One that is exported and does
/// nothing still costs: `slurm_spank_job_prolog` makes slurmd start a process a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hook {
    Init,
    LocalUserInit,
    TaskInit,
}

/// What each hook does in each context.
fn dispatch(hook: Hook, spank: &dyn Spank) {
    if !spank.is_first_line() {
        if hook == Hook::Init {
            init::ignore(spank.context());
        }
        return;
    }
    match (hook, spank.context()) {
        (Hook::Init, context) => init::run(spank, context),
        (Hook::LocalUserInit, Context::Local) => srun::name_program(spank),
        (Hook::TaskInit, Context::Remote) => task::run(spank),
        (Hook::LocalUserInit | Hook::TaskInit, _) => {}
    }
}

/// The name that Slurm knows us by, and that stands in front of every message.
pub const NAME: &str = "sifcache";
