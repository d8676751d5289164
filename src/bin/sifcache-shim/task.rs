//! A command of `--multi-prog`. It is executed as slurmstepd would execute it: `exec_task` and
//! `_build_path` in Slurm's `slurmstepd/task.c`.

use crate::call::file_name;
use crate::decided::decide;
use crate::environment::Environment;
use crate::exit_status::FAILED;
use crate::message::eprint;
use crate::program::{Identity, Kind, Program, metadata};
use crate::{execution, settings};
use spank_sifcache::decide::requested_mode::RequestedMode;
use std::env;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;

/// Executes the command. If it cannot be started, returns the exit status of the task. `arguments`
/// are those of the plugin, `mode` is the cache mode that the user requested, and `own` identifies
/// the running shim.
pub(crate) fn run(
    command: &[CString],
    (arguments, mode): (&CString, &CString),
    mut environment: Environment,
    own: Option<Identity>,
) -> i32 {
    let Some(first) = command.first() else {
        eprint("no executable program specified for this task");
        return libc::ENOENT;
    };
    let words = command.iter().map(|word| word.as_bytes()).collect();
    let requested = RequestedMode::new(None, Some(mode.as_bytes().to_vec()));
    let settings = settings::parse(arguments.as_bytes());
    let is_runtime = settings.as_ref().is_some_and(|settings| {
        let name = file_name(first);
        settings.runtimes.iter().any(|runtime| runtime.as_bytes() == name.as_bytes())
    });
    let program = find(first, environment.get("PATH").as_deref(), own);
    let decided = decide(words, &program, settings, &requested, &environment);
    if let Some(status) = decided.answered {
        return status;
    }
    if is_runtime {
        environment.clean();
    }
    // As in slurmstepd, `argv[0]` is the path that was found, not the name in the configuration
    // file.
    let command = [std::slice::from_ref(&program), command.get(1..).unwrap_or_default()].concat();
    let error = execution::become_task(&program, &command, decided, &environment);
    eprint(&format!("execve(): {}: {error}", program.to_string_lossy()));
    error.raw_os_error().unwrap_or(FAILED)
}

/// The first file of that name in `path` that is not a directory, even if it cannot be executed, or
/// else the name itself. Shims are skipped, because slurmstepd would not find them without
/// sifcache.
fn find(name: &CString, path: Option<&[u8]>, own: Option<Identity>) -> CString {
    let found = match name.as_bytes().first() {
        Some(b'/') => None,
        Some(b'.') => {
            env::current_dir().ok().and_then(|cwd| join(cwd.as_os_str().as_bytes(), name))
        }
        _ => path.unwrap_or_default().split(|byte| *byte == b':').find_map(|directory| {
            let program = (!directory.is_empty()).then(|| join(directory, name))??;
            metadata(&program).filter(|metadata| !metadata.is_dir())?;
            let is_shim = Program::find(program.clone(), own).is_some_and(|p| p.kind == Kind::Shim);
            (!is_shim).then_some(program)
        }),
    };
    found.unwrap_or_else(|| name.clone())
}

fn join(directory: &[u8], name: &CStr) -> Option<CString> {
    CString::new([directory, b"/", name.to_bytes()].concat()).ok()
}
