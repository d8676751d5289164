//! Makes random OCI images from a seed, and compares the file systems of two SIF files.
//!
//! The images have what makes unpacking hard: whiteouts, opaque directories, replaced types, links
//! through links, hard links to files that an upper layer removes, unusual permissions and owners,
//! long names, pax headers, files with holes, extended attributes, empty layers.
//!
//! No image has a path that climbs out of the root directory, and no link of an image leads the
//! files that a runtime adds out of it.

pub mod archive;
pub mod compression;
pub mod difference;
pub mod generator;
pub mod image;
pub mod listing;
pub mod random;
pub mod sif;
