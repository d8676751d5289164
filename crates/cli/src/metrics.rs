//! What `sifcache metrics` shows: counters of hits and misses, which go on where the last run ended,
//! and the present state of the image roots.

pub(crate) mod bounded;
pub(crate) mod catalog;
pub(crate) mod counters;
pub(crate) mod logs;
pub(crate) mod page;
pub(crate) mod plugin;
pub(crate) mod replace;
pub(crate) mod roots;
pub(crate) mod state;
