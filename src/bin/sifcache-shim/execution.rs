//! Executes another program in place of the shim.

use crate::decided::Decided;
use crate::environment::{Environment, Variable};
use crate::{message, process};
use spank_sifcache::decide::apply::MISSING;
use std::ffi::{CStr, CString};
use std::io;

/// A variant of `execve`: its arguments are the program, the argv entries and the variables.
type Execute = fn(&CStr, &[CString], &[Variable]) -> io::Error;

/// Executes a runtime as a shell would. Returns only if that fails.
pub(crate) fn become_runtime(
    program: &CStr,
    arguments: &[CString],
    decided: Decided,
    environment: &Environment,
) -> io::Error {
    execute_with_image(execute_like_a_shell, program, arguments, decided, environment)
}

/// Executes the command of a task as slurmstepd would. Returns only if that fails.
pub(crate) fn become_task(
    program: &CStr,
    arguments: &[CString],
    decided: Decided,
    environment: &Environment,
) -> io::Error {
    execute_with_image(process::execute, program, arguments, decided, environment)
}

fn execute_with_image(
    execute: Execute,
    program: &CStr,
    arguments: &[CString],
    decided: Decided,
    environment: &Environment,
) -> io::Error {
    let variables = environment.variables();
    if let Some((index, path)) = decided.image {
        let mut replaced = arguments.to_vec();
        if let Some(argument) = replaced.get_mut(index) {
            argument.clone_from(&path);
        }
        let error = execute(program, &replaced, variables);
        if error.raw_os_error() != Some(libc::E2BIG) {
            return error;
        }
        // The image's path may make the command exceed the kernel's limit. The command is then
        // executed unchanged, unless a pull is forbidden.
        if decided.requires_image {
            let path = path.to_string_lossy();
            message::eprint(&format!("cannot put {path} into the command line: {error}"));
            std::process::exit(MISSING);
        }
    }
    execute(program, arguments, variables)
}

/// Executes a program, including a script without an interpreter line, as execvp(3) does.
fn execute_like_a_shell(
    program: &CStr,
    arguments: &[CString],
    variables: &[Variable],
) -> io::Error {
    let error = process::execute(program, arguments, variables);
    if error.raw_os_error() != Some(libc::ENOEXEC) {
        return error;
    }
    let shell = [c"/bin/sh".to_owned(), program.to_owned()];
    let rest = arguments.get(1..).unwrap_or_default();
    process::execute(c"/bin/sh", &[&shell, rest].concat(), variables)
}
