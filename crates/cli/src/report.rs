//! What `sifcache report` shows: the data of all its sections, and the page.

pub(crate) mod collect;
pub(crate) mod command_line;
pub(crate) mod data;
pub(crate) mod file;
pub(crate) mod page;
pub(crate) mod text;
