//! `sifcache view`, and the commands that keep views current.
//!
//! The files belong to root. If the tests do not run as root, they print a note and are skipped.

pub(crate) mod site;

mod commands;
mod conflicts;
mod examples;
mod foreign;
mod names;
mod refused;
mod repaired;
mod roots;
