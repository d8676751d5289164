//! Writes a squashfs in one pass, and the SIF file around it; reads both for verification.
//!
//! The writer takes the contents of files in any order and stores them as they come. The tree of
//! names follows at the end. That order is the format's own: data first, tables last.

pub mod checksums;
pub mod compression;
pub mod listing;
pub mod reader;
pub mod sif;
mod tables;
pub mod tree;
pub mod writer;
