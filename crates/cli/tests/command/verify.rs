//! `sifcache verify` as a command, on trees with one fault at a time.
//!
//! The faults concern files owned by root. If the tests do not run as root, they print a note and
//! are skipped.

mod advice;
mod chosen;
mod duplicates;
mod fixed;
mod hidden;
mod misnamed;
mod modes;
mod names;
mod output;
mod refused;
