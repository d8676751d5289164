//! What the plugin does in each of Slurm's hooks.

pub(crate) mod broadcast;
pub(crate) mod container;
pub(crate) mod init;
pub mod multi_prog;
pub(crate) mod nested;
pub(crate) mod option;
pub(crate) mod pull;
pub(crate) mod srun;
pub(crate) mod step_settings;
pub(crate) mod task;
