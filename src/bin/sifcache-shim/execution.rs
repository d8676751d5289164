//! The end of the shim: it becomes another program.

use crate::environment::Environment;
use crate::process;
use std::ffi::CString;
use std::io;

/// Becomes `program`. Returns only if that fails.
pub(crate) fn become_one(
    program: &CString,
    arguments: &[CString],
    image: Option<(usize, CString)>,
    environment: &Environment,
) -> io::Error {
    let variables = environment.variables();
    if let Some((index, path)) = image {
        let mut replaced = arguments.to_vec();
        if let Some(argument) = replaced.get_mut(index) {
            *argument = path;
        }
        execute(program, &replaced, variables);
        // A longer argument may be one too long: then without.
    }
    execute(program, arguments, variables)
}

/// Executes a program, as a shell does also a script without a first line: execvp(3).
fn execute(program: &CString, arguments: &[CString], variables: &[CString]) -> io::Error {
    let error = process::execute(program, arguments, variables);
    if error.raw_os_error() != Some(libc::ENOEXEC) {
        return error;
    }
    let shell = [c"/bin/sh".to_owned(), program.clone()];
    let rest = arguments.get(1..).unwrap_or_default();
    process::execute(c"/bin/sh", &[&shell, rest].concat(), variables)
}
