//! Tests the shim between a caller and a runtime. Everything that the runtime receives is compared
//! byte for byte with a call without the shim. The tests need neither Slurm nor root, only a C
//! compiler.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stderr)]

mod call;
mod kit;

mod arguments;
mod build;
mod environment;
mod inherited;
mod invocations;
mod messages;
mod multi_prog;
mod privileged;
mod pull;
mod pull_faults;
mod pull_link;
mod runtime_path;
mod scripts;
mod search;
mod settings;
mod too_long;
mod transports;
mod waiting;
