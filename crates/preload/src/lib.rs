//! An interposer for `LD_PRELOAD`: an exec of a container runtime becomes an exec of the
//! shim, which decides on the image and then starts the runtime.
//!
//! It replaces the functions of libc with which a program starts another one. Each asks:
//! is the file name a runtime's, and would the exec work? If so it execs the shim with the
//! same `argv`, and an environment with one entry more, which names the runtime. If not,
//! or in any doubt, or where the shim cannot be started, the original function gets the
//! original arguments, so what a program sees of a failure is what it would see without us.
//!
//! These functions run between `fork` or `vfork` and `exec`, where another thread may hold
//! any lock, and where the memory may be the parent's. So after the constructor there is no
//! allocation, no lock, no `dlsym`, and no write but to the stack and `errno`; all
//! buffers are fixed, and what does not fit is passed. Two tests hold us to it: one reads
//! the imports of the library, one makes them fail at run time.
//!
//! What it does not see: static programs, programs that use the system call themselves, and
//! those with more rights than their user, for which ld.so ignores `LD_PRELOAD`. On
//! other processors than x86-64 and 64-bit ARM also `execl`, `execlp` and `execle`.
//! Programs linked before glibc 2.15 get the `posix_spawn` of today, which does not run a
//! script without `#!`.

mod descriptor;
mod entry;
mod environment;
mod own;
mod runtimes;
mod search;

// Not in unit tests: their program would have its own exec replaced.
#[cfg(not(test))]
#[allow(unsafe_code, reason = "the boundary to C; all else is safe")]
mod boundary;
