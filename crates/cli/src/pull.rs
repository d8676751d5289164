//! Pulls images from registries: the registry client, credentials, and the runtime that pulls.

pub(crate) mod adder;
pub(crate) mod credentials;
mod growth;
pub(crate) mod native;
pub(crate) mod outcome;
pub(crate) mod puller;
pub(crate) mod registry;
pub(crate) mod runtime;
pub(crate) mod tmpdir;
pub(crate) mod watch;
