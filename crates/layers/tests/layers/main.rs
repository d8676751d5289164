//! Layers are merged as a real runtime unpacks them. The expected values come from runs of Apptainer
//! 1.4.5, as packaged by Debian, with the same layers.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod archive;
mod entries;
mod follow;
mod hostile;
mod links;
mod model;
mod random;
mod rules;
mod support;
mod whiteouts;
