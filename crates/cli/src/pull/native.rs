//! Builds SIF files from the layers of an image, without the runtime's own pull.

pub(crate) mod fill;
mod layers;
mod sink;
pub(crate) mod template;
