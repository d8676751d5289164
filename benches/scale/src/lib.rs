//! Makes large inputs for measurements of the command: an image root of many images, and a log of
//! many lines.
//!
//! The same numbers result in the same names, records and lines. The log names the images of the
//! image root of the same size.
//!
//! ```no_run
//! let root = std::path::Path::new("/srv/many");
//! scale_inputs::root::write(root, 100_000)?;
//! let log = scale_inputs::log::Log { lines: 5_000_000, nodes: 200, images: 100_000, root };
//! log.write(std::path::Path::new("/srv/nodes.log"))?;
//! # std::io::Result::Ok(())
//! ```

pub mod image;
pub mod log;
mod others;
mod random;
pub mod root;
mod sif;

#[cfg(test)]
mod tests;
