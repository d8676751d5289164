//! Builds SIF files from the layers of an image, without the runtime's own pull.

mod architecture;
pub(crate) mod fill;
mod flush;
mod layers;
mod sink;
pub(crate) mod stages;
pub(crate) mod template;
pub(crate) mod trial;
