//! Images that jobs ask for: requests, the policy, the queue, and the filler.
#![allow(dead_code)]

pub(crate) mod board;
pub(crate) mod filler;
mod placeholder;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod request;
pub(crate) mod schedule;
pub(crate) mod source;
pub(crate) mod state;
pub(crate) mod worker;

pub(crate) use placeholder::{check, policy, space};
