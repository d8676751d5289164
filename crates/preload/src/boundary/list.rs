//! `execl`, `execlp` and `execle`, which have a variable number of arguments.
//!
//! Rust cannot define such functions, so a few lines of assembler turn the arguments into an array.
//! On x86-64 and 64-bit ARM, the first arguments are in registers and the others are next to each
//! other on the stack. The code stores the registers directly below the arguments on the stack. All
//! arguments then form an array in place, with the null pointer from the caller at its end. The
//! code neither counts nor copies them, and there is no limit on their number. (On x86-64, the
//! return address is in the way and is moved.)
//!
//! The code for 64-bit ARM has been assembled, but not yet run.

use super::exec;
use super::strings::{self, Strings};
use std::arch::naked_asm;
use std::ffi::{c_char, c_int};

/// The whole body of an exported function: calls `$function` with the first argument and an array
/// of the other arguments.
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
            // This push also aligns the stack for the call.
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

/// The whole body of an exported function: calls `$function` with the first argument and an array
/// of the other arguments.
#[cfg(target_arch = "aarch64")]
macro_rules! with_array {
    ($function:ident) => {
        naked_asm!(
            ".cfi_startproc",
            // The frame contains the frame pointer and the return address, then a gap, then the
            // seven registers directly below the arguments on the stack.
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
/// The requirements of its manual page apply.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn execl(path: *const c_char, first: *const c_char) -> c_int {
    with_array!(path_and_list)
}

/// # Safety
/// The requirements of its manual page apply.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn execlp(file: *const c_char, first: *const c_char) -> c_int {
    with_array!(name_and_list)
}

/// # Safety
/// The requirements of its manual page apply.
#[unsafe(no_mangle)]
#[unsafe(naked)]
unsafe extern "C" fn execle(path: *const c_char, first: *const c_char) -> c_int {
    with_array!(path_and_list_with)
}

unsafe extern "C" fn path_and_list(path: *const c_char, list: Strings) -> c_int {
    // SAFETY: the assembler passes the list as an array, and the caller guarantees valid arguments.
    unsafe { exec::by_path(path, list) }
}

unsafe extern "C" fn name_and_list(file: *const c_char, list: Strings) -> c_int {
    // SAFETY: the assembler passes the list as an array, and the caller guarantees valid arguments.
    unsafe { exec::by_name(file, list) }
}

/// For `execle`: the environment follows the null pointer at the end of the list.
unsafe extern "C" fn path_and_list_with(path: *const c_char, list: Strings) -> c_int {
    // SAFETY: the assembler passes the list as an array with a null pointer at its end.
    let length = unsafe { strings::pointers(list) }.count();
    // SAFETY: the null pointer is at index `length`, and one more argument follows it.
    let place = unsafe { list.add(length.wrapping_add(1)) };
    // SAFETY: as above; this last argument is the environment, an array of C strings.
    let envp = unsafe { place.cast::<Strings>().read() };
    // SAFETY: the assembler passes the list as an array, and the caller guarantees valid arguments.
    unsafe { exec::by_path_with(path, list, envp) }
}
