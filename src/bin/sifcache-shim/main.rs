//! The shim: applies the plugin's decision to launches inside a script.
//!
//! It is installed as `apptainer` and `singularity` in directories of its own. A job starts it
//! through `PATH`, through the interposer, or in front of the command of a `--multi-prog` task,
//! where the plugin puts it; see `sifcache_core::nested`. It uses the same lookup logic as the
//! plugin, removes its own environment variables, and then executes the real runtime. Arguments
//! that it cannot parse are left unchanged.
//!
//! | file | holds |
//! | --- | --- |
//! | `call.rs` | how the shim was called |
//! | `label.rs` | the runtime that a copy of the shim stands for |
//! | `runtime.rs` | the real runtime |
//! | `ancestors.rs` | the `PATH` of the parent processes |
//! | `program.rs` | the kind of a program: binary, script or shim |
//! | `launch.rs` | one launch, behind the interface that the plugin's code uses |
//! | `decided.rs` | the decision on it |
//! | `pull.rs`, `pull/` | the answer to a pull |
//! | `settings.rs` | the settings of the job, or else of the site |
//! | `environment.rs` | the environment, otherwise unchanged to the byte |
//! | `plan.rs` | all steps up to the `execve` |
//! | `task.rs` | the same for a command of `--multi-prog` |
//! | `execution.rs` | the `execve` |
//! | `exit_status.rs`, `message.rs` | exit statuses and messages of the shim itself |
//! | `log_sink.rs` | messages for the admin |
//! | `help.rs` | `--help` |
//! | `process.rs` | this process; the only unsafe code |
#![cfg_attr(not(test), no_main)]
// The test harness has its own entry point, so the shim's is unused.
#![cfg_attr(test, allow(dead_code))]

mod ancestors;
mod call;
mod decided;
mod environment;
mod execution;
mod exit_status;
mod help;
mod label;
mod launch;
mod log_sink;
mod message;
mod plan;
mod process;
mod program;
mod pull;
mod runtime;
mod settings;
mod task;

use environment::Environment;
use std::ffi::CString;

/// Runs the shim. The C entry point in `process.rs` calls this.
fn start(arguments: &[CString], environment: Environment) -> i32 {
    plan::run(arguments, environment)
}
