//! The steps of the shim, from its start to the `execve` of another program.

use crate::call::{Call, file_name};
use crate::decided::{Decided, decide};
use crate::environment::Environment;
use crate::exit_status::{FAILED, NOT_FOUND};
use crate::message::eprint;
use crate::program::{Identity, Kind, Program, Scripts};
use crate::runtime::Target;
use crate::{execution, help, label, process, runtime, settings, task};
use sifcache_core::cache_mode::ENVIRONMENT;
use sifcache_core::nested::{RUNTIME, SHIMS, installed};
use spank_sifcache::decide::requested_mode::RequestedMode;
use std::ffi::{CStr, CString};
use std::io;

/// Runs the shim. Returns an exit status if no program could be executed.
pub(crate) fn run(arguments: &[CString], mut environment: Environment) -> i32 {
    let target = environment.get(RUNTIME).filter(|_| !process::is_privileged());
    let target = target.and_then(|path| CString::new(path).ok());
    environment.change(RUNTIME, None);
    let scripts = Scripts::new(environment.get(Scripts::VARIABLE));
    environment.change(Scripts::VARIABLE, None);
    let executed_as = process::executed_as();
    let own = executed_as.as_deref().and_then(Identity::of);
    // In sifcache's own directories, the executed file has the name of its runtime, even if it is a
    // link to the shim of another runtime.
    let is_installed = executed_as.as_deref().is_some_and(runtime::is_installed);
    let label = if is_installed { None } else { label::own(executed_as.as_deref()) };
    let (program, stands_for) = match target.map(|path| runtime::classify(path, own)) {
        Some(Target::Runtime(program)) => {
            let name = file_name(&program.path);
            (Some(program), Some(name))
        }
        // The interposer redirected a call of another shim, so this shim stands for the same
        // runtime.
        Some(Target::Shim(name)) => (None, label.or(name)),
        None => (None, label),
    };
    let call = Call::new(executed_as.as_deref(), arguments, stands_for);
    match &call {
        Call::Runtime(name) => {
            let found = program.or_else(|| find(name, own, &scripts, &mut environment));
            let Some(program) = found else { return not_found(name) };
            let mut arguments = arguments.to_vec();
            name_runtime(name, executed_as, &program, &mut arguments, &mut environment);
            run_runtime(name, &program, &arguments, environment, &scripts)
        }
        Call::MultiProg { settings, mode } => {
            let command = arguments.get(call.own_arguments()..).unwrap_or_default();
            task::run(command, (settings, mode), environment, own)
        }
        Call::Itself => help::respond(arguments),
    }
}

/// Finds the runtime of this name. If `PATH` contains only the shim of this runtime, the directory
/// of the runtime replaces that of the shim in `PATH`.
fn find(
    name: &CStr,
    own: Option<Identity>,
    scripts: &Scripts,
    environment: &mut Environment,
) -> Option<Program> {
    let path = environment.get("PATH");
    runtime::next(name, path.as_deref(), own, scripts).or_else(|| {
        let program = runtime::find_outside_path(name, own, scripts)?;
        let path = path.map(|path| runtime::in_place_of_shims(&path, &program.path));
        environment.change("PATH", path.as_deref());
        Some(program)
    })
}

/// Replaces the full path of the shim by that of the runtime, in `argv[0]` and in the variable `_`,
/// where shells store the path of the program that they execute. The path of a link or copy with
/// another name is kept, because the user made that link or copy.
fn name_runtime(
    name: &CString,
    executed_as: Option<CString>,
    program: &Program,
    arguments: &mut [CString],
    environment: &mut Environment,
) {
    let is_full = |path: &CString| path.as_bytes().starts_with(b"/");
    let Some(ours) = executed_as.filter(|path| is_full(path) && file_name(path) == *name) else {
        return;
    };
    if environment.get("_").is_some_and(|path| path == ours.as_bytes()) {
        environment.change("_", Some(program.path.as_bytes()));
    }
    if let Some(first) = arguments.first_mut().filter(|first| **first == ours) {
        first.clone_from(&program.path);
    }
}

/// Decides on the command and executes the runtime. Returns an exit status if that fails.
fn run_runtime(
    name: &CString,
    program: &Program,
    arguments: &[CString],
    mut environment: Environment,
    scripts: &Scripts,
) -> i32 {
    // The decision is based on the name of the runtime, not on the name in `argv[0]`.
    let mut command: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
    if let Some(first) = command.first_mut() {
        *first = name.as_bytes();
    }
    let decided = match process::is_privileged() {
        true => Decided::default(),
        false => {
            let requested = RequestedMode::new(None, environment.get(ENVIRONMENT));
            let settings = settings::find(&environment);
            decide(command, &program.path, settings, &requested, &environment)
        }
    };
    if let Some(status) = decided.answered {
        return status;
    }
    match program.kind {
        Kind::Script(script) => {
            prepare_for_script(&program.path, decided.is_final, &mut environment);
            environment.change(Scripts::VARIABLE, Some(scripts.and(script).as_bytes()));
        }
        Kind::Binary | Kind::Shim => environment.clean(),
    }
    let error = execution::become_runtime(&program.path, arguments, decided, &environment);
    eprint(&format!("cannot execute {}: {error}", program.path.to_string_lossy()));
    if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { FAILED }
}

/// Sets the environment of a user's script that has the runtime's name. If the command is not yet a
/// launch, a pull or a build, the script may turn it into one. The shims are then moved behind the
/// script's directory in `PATH`.
fn prepare_for_script(script: &CString, is_final: bool, environment: &mut Environment) {
    if is_final {
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
