//! `spank_sifcache.so`: the plugin that Slurm loads.
//!
//! Slurm calls the symbols that [`spank`] exports. Each call goes to [`dispatch`], behind a panic
//! firewall.
//!
//! | room | holds | may import |
//! | --- | --- | --- |
//! | `hooks/` | what each of Slurm's hooks does | `decide`, `logging`, `spank` |
//! | `decide/` | the decision on one command, its effect and its report; shared with the shim | `logging`, `spank` |
//! | `logging/` | Slurm's log and syslog | `spank` |
//! | `spank/` | the boundary to Slurm and the kernel: all `unsafe` code | none; this file passes calls on |
//!
//! `job.rs` is the interface between a command and its decision, for all rooms.
//!
//! | hook, context | file in `hooks/` |
//! | --- | --- |
//! | `slurm_spank_init`, every context | `init.rs`: settings, `--sif-cache` |
//! | option callback, every context | `option.rs`: checks the value |
//! | `slurm_spank_init`, local | also `srun.rs`: `--bcast` and `--container` |
//! | `slurm_spank_task_init`, remote | `task.rs`: decides and replaces IMAGE; sets the environment |
//! | the same in a container | `container.rs`: leaves the command as it is |
//!
//! `decide/apply.rs` decides on a task's own command, except for a pull, which `hooks/pull.rs`
//! leaves to the shim (`src/bin/sifcache-shim`). For commands inside a script, `hooks/nested.rs`
//! puts the shim in the runtime's place. The shim also uses `decide/`.
//!
//! `slurmd`, `slurmstepd` and `srun` never access an image root. Every lookup happens right before
//! the task's `execve`, as the task's user: in the task's own process, or in its helper process
//! (`decide/lookup_timeout.rs`).

pub mod decide;
mod fault;
pub mod hooks;
pub mod job;
pub mod logging;
mod spank;

use spank::{Context, Spank};

/// The SPANK entry points that the plugin uses. Even an entry point that does nothing has a cost if
/// it is exported: `slurm_spank_job_prolog` makes slurmd start a process for each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hook {
    Init,
    TaskInit,
}

/// Makes the `log` facade write to Slurm's log and to syslog.
fn install_log() {
    logging::install();
}

/// Checks a value of `--sif-cache`.
///
/// # Errors
/// The value is invalid, and the command with this option must fail.
fn check_option(spank: &dyn Spank, value: &[u8]) -> Result<(), ()> {
    hooks::option::check(spank, value)
}

/// What each hook does in each context.
fn dispatch(hook: Hook, spank: &dyn Spank) {
    if !spank.is_first_line() {
        if hook == Hook::Init {
            hooks::init::ignore(spank.context());
        }
        return;
    }
    match (hook, spank.context()) {
        (Hook::Init, context) => hooks::init::run(spank, context),
        (Hook::TaskInit, Context::Remote) => hooks::task::run(spank),
        (Hook::TaskInit, _) => {}
    }
}

/// The plugin's name in Slurm. Every message starts with it.
pub const NAME: &str = "sifcache";
