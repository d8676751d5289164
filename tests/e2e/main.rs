//! End-to-end tests with a real Slurm, a real Apptainer and a real registry, on the testbed.
//!
//! Every test is ignored by default, because it needs a running testbed, root, and a plugin that
//! was built beforehand. `make test` provides all three.

// In a test, a panic is the right way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, clippy::string_slice, clippy::too_many_lines)]
#![allow(clippy::print_stderr, clippy::print_stdout)]

mod kit;

mod accounting;
mod attacks;
mod batch;
mod broadcast;
mod builds;
mod cache;
mod cache_mode;
mod containers;
mod doctor;
mod duplicate_lines;
mod exports;
mod faults;
mod files;
mod fills;
mod firewall;
mod foreign_roots;
mod hit;
mod layouts;
mod library;
mod listener;
mod login_node;
mod metrics;
mod miss;
mod names;
mod namespaces;
mod nested;
mod oracle;
mod partitions;
mod pass;
mod pulls;
mod pulls_links;
mod pulls_singularity;
mod registries;
mod releases;
mod report;
#[path = "../host/returns.rs"]
mod returns;
mod settings;
mod several;
mod shapes;
mod stage;
mod start_methods;
mod starters;
mod status;
mod template;
mod tool;
mod trace;
mod transports;
mod trust;
mod unchanged;
mod verify;
mod views;
mod waiting;
