//! The interposer in real programs: what comes to the shim, and what stays as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod call;
mod kit;
mod library;
mod pass;
mod program;
mod redirect;
mod search;
