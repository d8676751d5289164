//! Merges the layers of an OCI image into one file system tree, as a runtime unpacks them.
//!
//! Layers are applied from the lowest to the highest, because the effect of an entry depends on the
//! layers below it: a symbolic link in a lower layer redirects entries of the layers above.
//!
//! A layer is a tar archive ([`archive`]). [`Merger`] applies its entries to a tree in memory and
//! passes contents on to a [`ContentSink`].

pub mod archive;
mod error;
pub mod follow;
mod limits;
mod merge;
mod metadata;
mod nodes;
mod path;
mod resolve;
pub mod rules;
mod sink;
mod whiteout;

pub use error::{Error, Failure, Reason};
pub use limits::Limits;
pub use merge::{Merged, Merger};
pub use sink::ContentSink;
