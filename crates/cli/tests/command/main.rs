//! The `sifcache` command as a program. One program has all these tests, because each further one
//! would cost several seconds to compile and link.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod absent_roots;
mod architecture;
mod captured;
mod completion;
mod damaged;
mod doctor;
mod evidence;
mod explain;
mod fill;
mod fill_level;
mod full_stderr;
mod import;
mod json;
mod layouts;
mod leftovers;
mod linked;
mod list;
mod logs;
mod long_names;
mod metrics;
mod namespaces;
mod nested_roots;
mod partial_logs;
mod period;
mod real_files;
mod refresh;
// The unit tests of the command share this file, and use the rest of it.
#[allow(dead_code)]
mod registry;
mod release;
mod remove;
mod report;
mod request;
mod runtime;
mod stage;
mod transports;
mod tree;
mod unwritable;
mod usage;
mod verify;
mod view;
