//! The search for a runtime in `PATH`.

use crate::call::{BY_NAME, call};
use crate::kit::{chmod, kit};
use std::fs;

#[test]
fn the_first_program_is_taken() {
    let runtime = kit().runtime("first", "apptainer");
    let here = runtime.parent().unwrap();
    let plain = kit().runtime("first_plain", "apptainer");
    chmod(&plain, 0o644);
    let folder = kit().directory("first_folder");
    fs::create_dir_all(folder.join("apptainer")).unwrap();
    let later = kit().runtime("first_later", "apptainer");
    let path = [&folder, plain.parent().unwrap(), &plain, here, later.parent().unwrap()];
    let path = path.map(|entry| entry.to_str().unwrap()).join(":");
    for function in BY_NAME.iter().chain(&["posix_spawnp-actions"]) {
        for start in ["here", "vfork", "thread"] {
            call(function, start, "apptainer").env("PATH", &path).starts_shim_for(&runtime);
            let nowhere = format!("{}:/no/such:", folder.display());
            call(function, start, "apptainer").env("PATH", nowhere).fails("EACCES");
            call(function, start, "apptainer").env("PATH", "/no/such").fails("ENOENT");
        }
    }
}

#[test]
fn the_working_directory() {
    let runtime = kit().runtime("working", "apptainer");
    let here = runtime.parent().unwrap();
    for function in BY_NAME {
        for path in ["", ":/no/such", "/no/such:", "/no/such::/other"] {
            let call = call(function, "vfork", "apptainer").env("PATH", path);
            call.within(here).starts_shim_for("./apptainer");
        }
        let relative = call(function, "vfork", "apptainer").env("PATH", "/no/such:working");
        relative.within(here.parent().unwrap()).starts_shim_for("working/apptainer");
    }
}

#[test]
fn file_actions_may_change_the_directory() {
    let runtime = kit().runtime("chdir", "apptainer");
    let (to, elsewhere) = (runtime.parent().unwrap(), kit().runtime("chdir2", "apptainer"));
    for path in ["", "/no/such:", ".:/no/such"] {
        let call = call("posix_spawnp-actions", "here", "apptainer").env("PATH", path);
        let call = call.within(elsewhere.parent().unwrap()).env("ODD", "chdir").env("TO", to);
        assert_eq!(call.passes().exe.as_deref(), runtime.to_str());
    }
    let call = call("posix_spawn-actions", "here", "./apptainer").env("ODD", "chdir");
    let call = call.within(elsewhere.parent().unwrap()).env("TO", to);
    assert_eq!(call.passes().exe.as_deref(), runtime.to_str());
}

#[test]
fn without_path_the_default_is_searched() {
    let sh = std::env::split_paths("/bin:/usr/bin").map(|d| d.join("sh")).find(|p| p.is_file());
    for function in BY_NAME {
        call(function, "vfork", "apptainer").no_env("PATH").passes();
        // A system program takes the role of the runtime.
        let call = call(function, "vfork", "sh").no_env("PATH");
        let seen = call.env("SINGULARITY_SIFCACHE", "runtimes=sh").seen();
        assert_eq!(seen.runtimes, [sh.as_ref().unwrap().to_str().unwrap()], "{function}");
    }
}

#[test]
fn a_very_long_path_variable() {
    let runtime = kit().runtime("endless", "apptainer");
    let here = runtime.parent().unwrap().to_str().unwrap();
    let many = "/no/such/directory:".repeat(5000) + here;
    assert!(many.len() > 90_000);
    let long = format!("/{}:{here}", "y".repeat(100_000));
    for function in BY_NAME {
        call(function, "thread", "apptainer").env("PATH", &many).starts_shim_for(&runtime);
        call(function, "thread", "apptainer").env("PATH", &long).passes();
    }
}

#[test]
fn the_path_variable_of_the_caller_is_searched() {
    // `caller` passes on its own environment, except in this case, where it passes null.
    let runtime = kit().runtime("callers", "apptainer");
    for function in ["execvpe", "posix_spawnp"] {
        let call = call(function, "vfork", "apptainer").env("ODD", "envp=null");
        call.env("PATH", runtime.parent().unwrap()).starts_shim_for(&runtime);
    }
}
