//! Calls that are unchanged, including the error number.

use crate::call::{BY_FILE, BY_NAME, BY_PATH, call};
use crate::kit::{chmod, kit};
use std::fs;

#[test]
fn other_programs() {
    let other = kit().runtime("other", "apptainer-starter");
    for function in BY_PATH.iter().chain(&BY_FILE).chain(&["execveat-in"]) {
        for start in ["here", "vfork", "thread", "small"] {
            assert!(call(function, start, &other).passes().exe.is_some());
        }
    }
}

#[test]
fn runtimes_that_cannot_be_executed() {
    let directory = kit().directory("broken");
    let plain = directory.join("plain/apptainer");
    kit().install(&plain);
    chmod(&plain, 0o644);
    let folder = directory.join("folder/apptainer");
    fs::create_dir_all(&folder).unwrap();
    let link = directory.join("link/apptainer");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for function in BY_PATH {
        for start in ["here", "vfork", "thread"] {
            call(function, start, directory.join("none/apptainer")).fails("ENOENT");
            call(function, start, &plain).fails("EACCES");
            call(function, start, &folder).fails("EACCES");
            call(function, start, &link).fails("ENOENT");
            call(function, start, plain.join("apptainer")).fails("ENOTDIR");
        }
    }
    for function in BY_FILE {
        call(function, "here", &plain).fails("EACCES");
        call(function, "here", &folder).fails("EACCES");
    }
    call("fexecve", "here", directory.join("none/apptainer")).fails("EINVAL");
    call("execveat-open", "here", directory.join("none/apptainer")).fails("EBADF");
}

#[test]
fn odd_arguments() {
    let runtime = kit().runtime("odd", "apptainer");
    for function in ["execve", "execv", "execvp", "fexecve", "execveat", "posix_spawn"] {
        for odd in ["argv=null", "argv=empty"] {
            call(function, "vfork", &runtime).env("ODD", odd).passes();
        }
    }
    call("execve", "vfork", &runtime).env("ODD", "program=null").fails("EFAULT");
    call("execv", "vfork", &runtime).env("ODD", "program=null").fails("EFAULT");
    for function in BY_PATH {
        call(function, "vfork", "").fails("ENOENT");
    }
}

#[test]
fn flags_of_execveat() {
    let runtime = kit().runtime("flags", "apptainer");
    call("execveat-flag", "vfork", &runtime).passes();
    call("execveat-empty", "vfork", &runtime).fails("ENOENT");
}

#[test]
fn a_deleted_file() {
    let runtime = kit().directory("deleted").join("apptainer");
    for function in BY_FILE {
        let call = call(function, "here", &runtime).env("ODD", "deleted");
        kit().install(&runtime);
        let seen = call.seen();
        assert_eq!(seen.exe.as_deref(), Some(format!("{} (deleted)", runtime.display()).as_str()));
    }
}

#[test]
fn our_own_shims() {
    let own = kit().libexec.join("bin/apptainer");
    let hard_link = kit().directory("own").join("apptainer");
    fs::hard_link(kit().libexec.join("sifcache-shim"), &hard_link).unwrap();
    for function in BY_PATH.iter().chain(&BY_FILE) {
        call(function, "vfork", &own).passes();
        call(function, "vfork", &hard_link).passes();
    }
    for function in BY_NAME {
        call(function, "vfork", "apptainer").env("PATH", own.parent().unwrap()).passes();
    }
}

#[test]
fn a_shim_that_cannot_be_started() {
    let runtime = kit().runtime("no_shim", "apptainer");
    let path = runtime.parent().unwrap();
    let plain = kit().root.join("no_exec/sifcache-shim");
    kit().install(&plain);
    chmod(&plain, 0o644);
    let garbage = kit().root.join("garbage/sifcache-shim");
    fs::create_dir_all(garbage.parent().unwrap()).unwrap();
    fs::write(&garbage, "\x7fELF").unwrap();
    chmod(&garbage, 0o755);
    for libexec in ["missing", "no_exec", "garbage"] {
        let library = kit().library_with("no_shim", libexec);
        for start in ["here", "vfork", "thread"] {
            for function in BY_PATH.iter().chain(&BY_FILE).chain(&["execveat-in"]) {
                assert!(call(function, start, &runtime).library(&library).passes().exe.is_some());
            }
            for function in BY_NAME {
                let call = call(function, start, "apptainer").env("PATH", path);
                assert!(call.library(&library).passes().exe.is_some());
            }
        }
    }
}

#[test]
fn without_shim_file_actions_happen_once() {
    let runtime = kit().runtime("once", "apptainer");
    let library = kit().library_with("once", "missing");
    let file = kit().directory("once").join("file");
    for function in ["posix_spawn-actions", "posix_spawnp-actions"] {
        let _ = fs::remove_file(&file);
        let call = call(function, "here", &runtime).env("ODD", "create").env("TO", &file);
        assert!(call.library(&library).seen().exe.is_some());
    }
}

#[test]
fn a_thread_with_its_own_descriptor_table() {
    let runtime = kit().runtime("unshared", "apptainer");
    let other = kit().runtime("unshared", "other");
    for function in BY_FILE {
        let seen = call(function, "unshared", &runtime).env("TO", &other).passes();
        assert_eq!(seen.exe.as_deref(), other.to_str());
    }
}

#[test]
fn an_environment_that_does_not_fit() {
    let runtime = kit().runtime("environment", "apptainer");
    let with = |function, number: usize| {
        let call = call(function, "thread", &runtime);
        (0..number).fold(call, |call, i| call.env(&format!("V{i}"), "x"))
    };
    for function in BY_PATH.iter().chain(&BY_FILE) {
        assert!(with(function, 5000).passes().exe.is_some());
        with(function, 1800).starts_shim_for(&runtime);
    }
}
