//! Linker options of the interposer.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // No code here can panic, but lld keeps the panic handler and its dependencies. With them, the
    // library would have 300 KB instead of 20 KB, and imports such as malloc.
    println!("cargo:rustc-cdylib-link-arg=-fuse-ld=bfd");
    // Without this, every program would also load libgcc_s.so.1.
    println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
}
