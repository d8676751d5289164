//! A plugin that catches panics and does nothing else: what it costs to load any plugin that is
//! written in Rust and must not end slurmstepd.
//!
//! A panic that left a function of the plugin would end the process. Catching one needs the standard
//! library, its unwinder, and the code that prints a panic. They are most of what the loader relocates
//! and looks up.
// The symbols of a plugin have fixed names, and are exported.
#![allow(unsafe_code, non_upper_case_globals)]

use std::ffi::{c_char, c_int, c_void};
use std::panic;

/// The name of the plugin.
// SAFETY: no other symbol of this library has this name.
#[unsafe(no_mangle)]
pub static plugin_name: [u8; 9] = *b"firewall\0";
/// The type of the plugin.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub static plugin_type: [u8; 6] = *b"spank\0";
/// A release of Slurm: 26.05.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub static plugin_version: u32 = 26 << 16 | 5 << 8;

/// The work of a hook, which can panic.
#[inline(never)]
fn work(count: c_int) {
    assert!(count >= 0, "{count} arguments");
}

fn enter(count: c_int) -> c_int {
    match panic::catch_unwind(|| work(count)) {
        Ok(()) => 0,
        Err(_) => -1,
    }
}

/// Slurm calls this when it has loaded the plugin.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn slurm_spank_init(_: *mut c_void, count: c_int, _: *const *const c_char) -> c_int {
    enter(count)
}

/// Slurm calls this in each task.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn slurm_spank_task_init(
    _: *mut c_void,
    count: c_int,
    _: *const *const c_char,
) -> c_int {
    enter(count)
}
