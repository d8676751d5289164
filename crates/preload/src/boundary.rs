//! The boundary to C: the exported functions, the calls to libc, and all raw pointers.

mod errno;
mod exec;
mod export;
mod files;
mod launch;
#[cfg(all(target_pointer_width = "64", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod list;
mod loaded;
mod originals;
mod program;
mod spawn;
mod strings;
