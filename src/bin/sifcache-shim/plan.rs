//! What the shim does, from its call to its end as another program.

use crate::call::{Call, file_name};
use crate::decided::decide;
use crate::environment::Environment;
use crate::execution::become_one;
use crate::runtime::{self, Identity};
use crate::{help, process, settings};
use sifcache_core::choice::ENVIRONMENT;
use sifcache_core::nested::{RUNTIME, SHIMS, installed};
use spank_sifcache::wish::Wish;
use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::{env, io};

/// Exit status where no program was started: of a shell, for a command not found.
const NOT_FOUND: i32 = 127;
/// The same for one that cannot be executed.
pub(crate) const FAILED: i32 = 126;

/// Does all of it; the exit status is for where that fails.
pub(crate) fn carry_out() -> i32 {
    let arguments: Vec<CString> = env::args_os().filter_map(c_string).collect();
    let mut environment = Environment::new(process::environment());
    let told = environment.get(RUNTIME).and_then(|told| CString::new(told).ok());
    environment.change(RUNTIME, None);
    let executed_as = process::executed_as();
    // A call that the interposer would send to us, and that names ourselves, tells nothing.
    let own =
        executed_as.as_deref().and_then(Identity::of).or_else(|| Identity::of(c"/proc/self/exe"));
    let told = told.filter(|told| own.is_none() || Identity::of(told) != own);
    let call = Call::new(executed_as.as_deref(), &arguments, told);
    match &call {
        Call::Runtime { name, told } => {
            let path = environment.get("PATH");
            let found = told.clone().or_else(|| runtime::next(name, path.as_deref(), own));
            let Some(program) = found else { return not_found(name) };
            // Where a shell has put the path of what it executes, it means the runtime.
            let shell_said = environment.get("_");
            if shell_said.is_some()
                && shell_said.as_deref() == executed_as.as_deref().map(CStr::to_bytes)
            {
                environment.change("_", Some(program.as_bytes()));
            }
            be_runtime(name, &program, &arguments, environment)
        }
        Call::MultiProg { settings, choice } => {
            let command = arguments.get(call.own_arguments()..).unwrap_or_default();
            be_task(command, (settings, choice), environment, own)
        }
        Call::Itself => help::introduce(&arguments),
    }
}

/// Arguments come as C strings, so this cannot fail.
fn c_string(text: OsString) -> Option<CString> {
    CString::new(text.into_vec()).ok()
}

/// Becomes the runtime.
fn be_runtime(
    name: &CString,
    program: &CString,
    arguments: &[CString],
    mut environment: Environment,
) -> i32 {
    // What it is counts, not what it is called as.
    let mut command: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
    if let Some(first) = command.first_mut() {
        *first = name.as_bytes();
    }
    let wish = Wish::new(None, environment.get(ENVIRONMENT));
    let decided = decide(command, settings::find(&environment), &wish, &environment);
    if !decided.is_launch && runtime::is_script(program) {
        // A script of the user's that is called like the runtime may start it itself.
        let path = environment.get("PATH").unwrap_or_default();
        if let Some(path) = runtime::shims_behind(&path, program) {
            environment.change("PATH", Some(&path));
        }
    } else {
        environment.clean();
    }
    let error = become_one(program, arguments, decided.image, &environment);
    eprint(&format!("cannot execute {}: {error}", program.to_string_lossy()));
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { FAILED }
}

/// Becomes the command of a task of `--multi-prog`, or fails as slurmstepd would have.
fn be_task(
    command: &[CString],
    (arguments, choice): (&CString, &CString),
    mut environment: Environment,
    own: Option<Identity>,
) -> i32 {
    let Some(first) = command.first() else {
        eprint("no executable program specified for this task");
        return libc::ENOENT;
    };
    let words = command.iter().map(|word| word.as_bytes()).collect();
    let wish = Wish::new(None, Some(choice.as_bytes().to_vec()));
    let settings = settings::parse(arguments.as_bytes());
    let is_runtime = settings.as_ref().is_some_and(|settings| {
        let name = file_name(first);
        settings.runtimes.iter().any(|runtime| runtime.as_bytes() == name.as_bytes())
    });
    let decided = decide(words, settings, &wish, &environment);
    let path = environment.get("PATH").unwrap_or_default();
    let plain = !matches!(first.as_bytes().first(), Some(b'/' | b'.'));
    let found = plain.then(|| runtime::next(first, Some(&path), own)).flatten();
    if is_runtime {
        environment.clean();
    }
    let error = become_one(found.as_ref().unwrap_or(first), command, decided.image, &environment);
    eprint(&format!("execve(): {}: {error}", first.to_string_lossy()));
    error.raw_os_error().unwrap_or(FAILED)
}

fn not_found(name: &CString) -> i32 {
    let name = name.to_string_lossy();
    let shims = installed(SHIMS);
    eprint(&format!(
        "{name}: not found in PATH after {shims}; load the module of the runtime, or install it"
    ));
    NOT_FOUND
}

/// Writes one line, with our name in front.
pub(crate) fn eprint(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(io::stderr(), "{}: {line}", spank_sifcache::NAME);
}
