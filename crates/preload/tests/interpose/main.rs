//! The interposer in real programs: launches that start the shim, and calls that are unchanged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stderr)]

mod call;
mod kit;
mod library;
mod pass;
mod program;
mod redirect;
mod search;
