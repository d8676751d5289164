//! `sifcache verify` as a command: a tree with one fault at a time.
//!
//! The faults are those of files that root owns, so that as somebody else these tests
//! have nothing to stand on and say so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod verify {
    pub(crate) mod tree;

    mod advice;
    mod chosen;
    mod fixed;
    mod hidden;
    mod misnamed;
    mod modes;
    mod names;
    mod output;
    mod refused;
    mod rivals;
}
