//! The end of the shim: it becomes another program.

use crate::decided::Decided;
use crate::environment::Environment;
use crate::{message, process};
use spank_sifcache::decide::apply::MISSING;
use std::ffi::{CStr, CString};
use std::io;

/// An `execve` of some kind: the program, its arguments, its variables.
type Execute = fn(&CStr, &[CString], &[CString]) -> io::Error;

/// Becomes a runtime, as a shell would. Returns only if that fails.
pub(crate) fn become_runtime(
    program: &CStr,
    arguments: &[CString],
    decided: Decided,
    environment: &Environment,
) -> io::Error {
    become_one(as_shells_do, program, arguments, decided, environment)
}

/// Becomes the command of a task, as slurmstepd would. Returns only if that fails.
pub(crate) fn become_task(
    program: &CStr,
    arguments: &[CString],
    decided: Decided,
    environment: &Environment,
) -> io::Error {
    become_one(process::execute, program, arguments, decided, environment)
}

fn become_one(
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
        // A longer argument may be one too long: then without, but for who wants no pull.
        if decided.requires_image {
            let path = path.to_string_lossy();
            message::eprint(&format!("cannot put {path} into the command: {error}"));
            std::process::exit(MISSING);
        }
    }
    execute(program, arguments, variables)
}

/// Executes a program, also a script without a first line: execvp(3).
fn as_shells_do(program: &CStr, arguments: &[CString], variables: &[CString]) -> io::Error {
    let error = process::execute(program, arguments, variables);
    if error.raw_os_error() != Some(libc::ENOEXEC) {
        return error;
    }
    let shell = [c"/bin/sh".to_owned(), program.to_owned()];
    let rest = arguments.get(1..).unwrap_or_default();
    process::execute(c"/bin/sh", &[&shell, rest].concat(), variables)
}
