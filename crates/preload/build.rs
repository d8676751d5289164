//! How the interposer is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // It comes into every program of a job; what it exports replaces what they call.
    println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    // Without this each of them loads libgcc_s.so.1 as well, for an unwinder that nothing
    // here uses.
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
}
