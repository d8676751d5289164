//! What sifcache decides with, shared by the SPANK plugin and the `sifcache`
//! command so that both always give the same answer.
//!
//! The way of one launch, one module each:
//!
//! ```text
//! argv ─▶ launch ─▶ image_uri ─▶ candidate ─▶ lookup ─▶ image ─▶ decision
//!         (flags)   (reference)               (trust, sif)
//! ```
//!
//! Everything here parses bytes and returns values. Only [`lookup`], [`image`],
//! [`trust`] and [`tags`] touch a file system, and they only read. Nothing logs,
//! prints or ends a process: that is for the caller who carries a decision out.
#![forbid(unsafe_code)]

pub mod cache_mode;
pub mod candidate;
pub mod decision;
pub mod flags;
pub mod image;
pub mod image_uri;
pub mod launch;
pub mod lookup;
pub mod message;
pub mod nested;
pub mod reference;
pub mod settings;
pub mod sif;
pub mod tags;
pub mod trust;
