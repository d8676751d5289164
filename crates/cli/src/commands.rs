//! The subcommands, one file or directory each. No command imports another one.

pub(crate) mod add;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod gc;
pub(crate) mod hits;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod misses;
pub(crate) mod refresh;
pub(crate) mod remove;
pub(crate) mod stage;
pub(crate) mod verify;
