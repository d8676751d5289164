//! Processes, signals, the service manager, thread pools, timeouts for work that may hang, atomic
//! replacement of files, and the nodes that Slurm lists.

pub(crate) mod file_name;
pub(crate) mod helper;
pub(crate) mod hostlist;
pub(crate) mod library;
pub(crate) mod nodes;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod process_group;
pub(crate) mod replace;
pub(crate) mod service;
pub(crate) mod signals;
pub(crate) mod slurm;
pub(crate) mod timeout;
