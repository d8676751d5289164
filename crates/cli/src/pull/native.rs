//! Builds SIF files from the layers of an image, without the runtime's own pull.

pub(crate) mod layers;
pub(crate) mod template;
