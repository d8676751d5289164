//! `execl`, `execlp` and `execle`, whose arguments have no fixed number.
//!
//! Rust cannot define such a function, so a few lines of assembler turn the arguments into
//! an array. On both processors the first ones come in registers and the others lie on the
//! stack, one after the other. With the registers stored right below, all of them are an
//! array where they are, with the null pointer at its end that the caller has put there:
//! nothing is counted or copied, and there is no limit. (On x86-64 the return address is in
//! the way, and moves.)
//!
//! The lines for 64-bit ARM have been assembled, but not yet run.

use super::exec;
use super::strings::{self, Strings};
use std::arch::naked_asm;
use std::ffi::{c_char, c_int};

/// The whole body: calls a function with the first argument and an array of the others.
#[cfg(target_arch = "x86_64")]
macro_rules! with_array {
    ($function:ident) => {
        naked_asm!(
            ".cfi_startproc",
            "pop rax",
            ".cfi_adjust_cfa_offset -8",
            ".cfi_register rip, rax",
            "push r9",
            ".cfi_adjust_cfa_offset 8",
            "push r8",
            ".cfi_adjust_cfa_offset 8",
            "push rcx",
            ".cfi_adjust_cfa_offset 8",
            "push rdx",
            ".cfi_adjust_cfa_offset 8",
            "push rsi",
            ".cfi_adjust_cfa_offset 8",
            "mov rsi, rsp",
            // With this the stack is aligned for the call.
            "push rax",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_offset rip, -48",
            "call {function}",
            "pop rcx",
            ".cfi_adjust_cfa_offset -8",
            ".cfi_register rip, rcx",
            "add rsp, 40",
            ".cfi_adjust_cfa_offset -40",
            "push rcx",
            ".cfi_adjust_cfa_offset 8",
            ".cfi_offset rip, -8",
            "ret",
            ".cfi_endproc",
            function = sym $function,
        )
    };
}

/// The whole body: calls a function with the first argument and an array of the others.
#[cfg(target_arch = "aarch64")]
macro_rules! with_array {
    ($function:ident) => {
        naked_asm!(
            ".cfi_startproc",
            // Frame pointer and return address, a gap, then seven registers up to where
            // the arguments on the stack begin.
            "stp x29, x30, [sp, #-80]!",
            ".cfi_def_cfa_offset 80",
            ".cfi_offset x29, -80",
            ".cfi_offset x30, -72",
            "mov x29, sp",
            "str x1, [sp, #24]",
            "stp x2, x3, [sp, #32]",
            "stp x4, x5, [sp, #48]",
            "stp x6, x7, [sp, #64]",
            "add x1, sp, #24",
            "bl {function}",
            "ldp x29, x30, [sp], #80",
            ".cfi_def_cfa_offset 0",
            ".cfi_restore x29",
            ".cfi_restore x30",
            "ret",
            ".cfi_endproc",
            function = sym $function,
        )
    };
}

/// # Safety
/// As in its manual page.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn execl(path: *const c_char, first: *const c_char) -> c_int {
    with_array!(path_and_list)
}

/// # Safety
/// As in its manual page.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn execlp(file: *const c_char, first: *const c_char) -> c_int {
    with_array!(name_and_list)
}

/// # Safety
/// As in its manual page.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn execle(path: *const c_char, first: *const c_char) -> c_int {
    with_array!(path_and_list_with)
}

unsafe extern "C" fn path_and_list(path: *const c_char, list: Strings) -> c_int {
    // SAFETY: the list is an array, and the caller vouches for the rest.
    unsafe { exec::by_path(path, list) }
}

unsafe extern "C" fn name_and_list(file: *const c_char, list: Strings) -> c_int {
    // SAFETY: the list is an array, and the caller vouches for the rest.
    unsafe { exec::by_name(file, list) }
}

/// The environment follows the null pointer.
unsafe extern "C" fn path_and_list_with(path: *const c_char, list: Strings) -> c_int {
    // SAFETY: the list is an array.
    let length = unsafe { strings::pointers(list) }.count();
    // SAFETY: the null pointer is there, and one more argument after it.
    let place = unsafe { list.add(length.wrapping_add(1)) };
    // SAFETY: as above; the argument is an array of strings.
    let envp = unsafe { place.cast::<Strings>().read() };
    // SAFETY: the list is an array, and the caller vouches for the rest.
    unsafe { exec::by_path_with(path, list, envp) }
}
