//! What the plugin logged about launches, and what the logs cover.

pub(crate) mod aggregate;
pub(crate) mod event;
pub(crate) mod logs;
