//! Writes a squashfs in one pass, and the SIF file around it; reads both for verification.
//!
//! The writer accepts the contents of files in any order and stores them as they arrive. The tree of
//! names follows at the end. This is the order of the format: data first, tables last.

pub mod checksums;
pub mod compression;
pub mod listing;
pub mod reader;
pub mod sif;
mod tables;
pub mod tree;
pub mod writer;
