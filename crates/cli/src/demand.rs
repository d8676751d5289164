//! Images that jobs ask for: requests, the policy, the queue, and the filler.
#![allow(dead_code)]

pub(crate) mod request;
