//! What `sifcache report` shows: the data of all its sections, and the page.

pub(crate) mod data;
pub(crate) mod page;
