//! The reader, with file systems that the real mksquashfs packed (Debian: squashfs-tools).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

mod damaged;
mod hostile;
mod packed;
mod support;
mod written;
