//! An interposer for `LD_PRELOAD`: it replaces an exec of a container runtime by an exec of the
//! shim. The shim decides on the image and then starts the runtime.
//!
//! The library replaces the functions of libc that start another program. Each replacement checks
//! whether the file name is that of a runtime and whether the exec would succeed. If so, it execs
//! the shim with the same `argv` and with one additional environment entry, which names the
//! runtime. If not, in case of doubt, or if the shim cannot be started, it calls the original
//! function with the original arguments. A failing call therefore fails in the same way as without
//! the interposer.
//!
//! These functions run between `fork` or `vfork` and `exec`. At that point, another thread may hold
//! any lock, and the memory may be shared with the parent. After the constructor, the library
//! therefore does not allocate, take locks or call `dlsym`, and it writes only to the stack and
//! `errno`. All buffers have a fixed size; a launch that does not fit passes. Two tests enforce
//! these rules: one checks the imports of the library, the other makes forbidden calls fail at run
//! time.
//!
//! The interposer does not cover static programs, programs that make the system call directly, and
//! programs with more privileges than their user, for which ld.so ignores `LD_PRELOAD`. On
//! processors other than x86-64 and 64-bit ARM, it does not cover `execl`, `execlp` and `execle`.
//! Programs linked against a glibc before 2.15 get the current `posix_spawn`, which does not run a
//! script without `#!`.

mod descriptor;
mod entry;
mod environment;
mod own;
mod runtimes;
mod search;

// Excluded from unit tests, because it would replace the exec functions of the test program.
#[cfg(not(test))]
#[allow(unsafe_code, reason = "the boundary to C; all else is safe")]
mod boundary;
