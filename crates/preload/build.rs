//! How the interposer is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // lld keeps the handler of panics, and all that this needs, though nothing here can
    // panic: 300 KB and imports such as malloc, instead of 20 KB.
    println!("cargo:rustc-cdylib-link-arg=-fuse-ld=bfd");
    // Without this each program loads libgcc_s.so.1 as well.
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
}
