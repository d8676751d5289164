//! Merges the layers of an OCI image into one file system tree, as a runtime unpacks them.
//!
//! Layers are applied from the lowest to the highest, because the meaning of an entry depends on
//! the layers below it: a symbolic link of a lower layer redirects entries of the layers above.

pub mod rules;
