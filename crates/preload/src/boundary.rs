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

// The standard library refers to this function of glibc's dynamic linker. The linker drops the
// code that does, but the library would still need the dynamic linker by its name, and a program of
// another C library, such as musl, would not start. A weak reference does not count.
std::arch::global_asm!(".weak __tls_get_addr");
