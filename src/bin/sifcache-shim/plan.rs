//! What the shim does, from its call to its end as another program.

use crate::call::Call;
use crate::decided::{Decided, decide};
use crate::environment::Environment;
use crate::program::{Identity, Kind, Program, Scripts};
use crate::{execution, help, process, runtime, settings, task};
use sifcache_core::choice::ENVIRONMENT;
use sifcache_core::nested::{RUNTIME, SHIMS, installed};
use spank_sifcache::wish::Wish;
use std::ffi::{CStr, CString};
use std::io;

/// Exit status where no program was started: of a shell, for a command not found.
const NOT_FOUND: i32 = 127;
/// The same for one that cannot be executed.
pub(crate) const FAILED: i32 = 126;

/// Does all of it; the exit status is for where that fails.
pub(crate) fn carry_out(arguments: &[CString], variables: Vec<CString>) -> i32 {
    let mut environment = Environment::new(variables);
    let told = environment.get(RUNTIME).filter(|_| !process::is_privileged());
    let told = told.and_then(|told| CString::new(told).ok());
    environment.change(RUNTIME, None);
    let scripts = Scripts::new(environment.get(Scripts::VARIABLE));
    environment.change(Scripts::VARIABLE, None);
    let executed_as = process::executed_as();
    let own = executed_as.as_deref().and_then(Identity::of);
    // A call that the interposer would send to us, and that names ourselves, tells nothing.
    let told = told.and_then(|told| runtime::told(told, own));
    let call = Call::new(executed_as.as_deref(), arguments, told.as_ref().map(|t| &*t.path));
    match &call {
        Call::Runtime(name) => {
            let path = environment.get("PATH");
            let found = told.or_else(|| runtime::next(name, path.as_deref(), own, &scripts));
            let Some(program) = found else { return not_found(name) };
            // Where a shell has put the path of what it executes, it means the runtime.
            let shell_said = environment.get("_");
            if shell_said.is_some()
                && shell_said.as_deref() == executed_as.as_deref().map(CStr::to_bytes)
            {
                environment.change("_", Some(program.path.as_bytes()));
            }
            be_runtime(name, &program, arguments, environment, &scripts)
        }
        Call::MultiProg { settings, choice } => {
            let command = arguments.get(call.own_arguments()..).unwrap_or_default();
            task::run(command, (settings, choice), environment, own)
        }
        Call::Itself => help::introduce(arguments),
    }
}

/// Becomes the runtime.
fn be_runtime(
    name: &CString,
    program: &Program,
    arguments: &[CString],
    mut environment: Environment,
    scripts: &Scripts,
) -> i32 {
    // What it is counts, not what it is called as.
    let mut command: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
    if let Some(first) = command.first_mut() {
        *first = name.as_bytes();
    }
    let decided = match process::is_privileged() {
        true => Decided::default(),
        false => {
            let wish = Wish::new(None, environment.get(ENVIRONMENT));
            decide(command, settings::find(&environment), &wish, &environment)
        }
    };
    match program.kind {
        Kind::Script(script) => {
            lead_script(&program.path, decided.is_launch, &mut environment);
            environment.change(Scripts::VARIABLE, Some(scripts.and(script).as_bytes()));
        }
        Kind::Binary | Kind::Shim => environment.clean(),
    }
    let error = execution::become_runtime(&program.path, arguments, decided, &environment);
    eprint(&format!("cannot execute {}: {error}", program.path.to_string_lossy()));
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { FAILED }
}

/// A script of the user's that is called like the runtime may make a launch out of what is
/// none yet.
fn lead_script(script: &CString, is_launch: bool, environment: &mut Environment) {
    if is_launch {
        environment.clean();
        return;
    }
    let path = environment.get("PATH").unwrap_or_default();
    if let Some(path) = runtime::shims_behind(&path, script) {
        environment.change("PATH", Some(&path));
    }
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
    process::tell(&format!("{}: {line}\n", spank_sifcache::NAME));
}
