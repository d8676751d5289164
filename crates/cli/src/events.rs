//! Events that the plugin logged about launches, and the times that the logs cover.

pub(crate) mod aggregate;
pub(crate) mod count;
pub(crate) mod event;
pub(crate) mod head;
pub(crate) mod logs;
pub(crate) mod period;
