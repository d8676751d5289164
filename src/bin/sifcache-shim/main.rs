//! The shim: what the plugin does for a task's own command, for a launch inside a script.
//!
//! It is installed as `apptainer` and `singularity` in directories of its own. A job comes
//! to it through `PATH`, through the interposer, or because the plugin has put it before a
//! command of `--multi-prog`; `sifcache_core::nested` says how. It decides on the command
//! line with the same code as the plugin, takes every trace of itself out of the
//! environment, and becomes the runtime. What it does not know, it leaves as it is.
//!
//! | file | holds |
//! | --- | --- |
//! | `call.rs` | what the shim was called as, and what that means |
//! | `label.rs` | which runtime it stands for |
//! | `runtime.rs` | the real runtime |
//! | `ancestors.rs` | the `PATH` of the processes that have led here |
//! | `program.rs` | what a program on the way to it is |
//! | `launch.rs` | one launch, as the code shared with the plugin sees it |
//! | `decided.rs` | the decision on it |
//! | `settings.rs` | the settings of the job, else of the site |
//! | `environment.rs` | the environment, to the byte |
//! | `plan.rs` | all of it put together: what is to be executed |
//! | `task.rs` | the same for a command of `--multi-prog` |
//! | `execution.rs` | its end as another program |
//! | `log_sink.rs` | what is for the admin |
//! | `help.rs` | `--help` |
//! | `process.rs` | this process, and the only unsafe code |
#![cfg_attr(not(test), no_main)]
// The test harness has an entry of its own, and so nobody calls ours.
#![cfg_attr(test, allow(dead_code))]

mod ancestors;
mod call;
mod decided;
mod environment;
mod execution;
mod help;
mod label;
mod launch;
mod log_sink;
mod plan;
mod process;
mod program;
mod runtime;
mod settings;
mod task;
