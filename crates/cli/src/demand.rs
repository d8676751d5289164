//! Images that jobs ask for: requests, the policy, the queue, and the filler.

pub(crate) mod ask;
pub(crate) mod board;
pub(crate) mod check;
pub(crate) mod filler;
pub(crate) mod follow;
pub(crate) mod listen;
pub(crate) mod message;
pub(crate) mod news;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod report;
pub(crate) mod request;
pub(crate) mod schedule;
pub(crate) mod source;
pub(crate) mod space;
pub(crate) mod state;
pub(crate) mod subscription;
pub(crate) mod syslog;
pub(crate) mod worker;
