//! The decision logic of sifcache. The SPANK plugin, the shim and the `sifcache` command share
//! it, so that they always come to the same result.
//!
//! A launch passes through these modules:
//!
//! ```text
//! argv ─▶ launch ─▶ image_uri ─▶ candidate ─▶ lookup ─▶ image ─▶ decision
//!         (flags)   (transport,   (layout)     (trust, sif)
//!                    reference)
//! ```
//!
//! [`pull`] and [`build`] parse two other commands by the same rules, which are in
//! [`command_line`].
//!
//! The modules parse bytes and return values. Only [`lookup`], [`image`], [`trust`], [`tags`] and
//! [`pull`] access a file system, and they only read. [`build`] also reads the working directory.
//! Nothing here logs, prints or ends a process: the caller applies the decision.
#![forbid(unsafe_code)]

pub mod attributes;
pub mod build;
pub mod cache_mode;
pub mod candidate;
pub mod command_line;
pub mod decision;
pub mod fields;
pub mod flags;
pub mod image;
pub mod image_uri;
pub mod launch;
pub mod layout;
mod listed;
pub mod lookup;
pub mod message;
mod name;
pub mod nested;
pub mod pull;
pub mod queue;
pub mod reference;
pub mod settings;
pub mod sif;
pub mod tags;
pub mod transport;
pub mod trust;
