//! Linker options of the interposer.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // No code here can panic, but lld keeps the panic handler and its dependencies. The library
    // would have 300 KB and imports such as malloc, instead of 20 KB.
    println!("cargo:rustc-cdylib-link-arg=-fuse-ld=bfd");
    // Without this, every program would also load libgcc_s.so.1.
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
}
