//! Images of the writer, read by squashfs-tools, squashfuse and Linux.
//!
//! The tests run as root: only root can extract owners, devices and all extended attributes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod content;
mod directories;
mod failures;
mod hidden;
mod image;
mod mksquashfs;
mod readers;
mod sizes;
mod trees;
mod walk;
