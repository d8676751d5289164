//! Linker options of the interposer. Every program of a job loads it, so they keep the work of the
//! dynamic linker small.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Without this, every program would also load libgcc_s.so.1.
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    for option in [
        // No code here can panic, but lld keeps the panic handler and its dependencies. With them,
        // the library would have 300 KB instead of 20 KB, and imports such as malloc.
        "-fuse-ld=bfd",
        // The start files add two functions to call and four symbols to look up. They serve C++
        // destructors, transactional memory and gprof.
        "-nostartfiles",
        // Two mappings instead of four: all that is only read, and the data.
        "-Wl,-z,noseparate-code",
        // The protection of addresses that were looked up would take a system call and split the
        // data into two mappings. It would be of little use, because the addresses of the original
        // functions have to stay writable for the constructor.
        "-Wl,-z,norelro",
    ] {
        println!("cargo:rustc-cdylib-link-arg={option}");
    }
}
