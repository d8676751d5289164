//! Launches that start the shim.

use crate::call::{BY_FILE, BY_PATH, call};
use crate::kit::kit;
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn every_function_by_path() {
    let runtime = kit().runtime("by_path", "apptainer");
    for function in BY_PATH {
        for start in ["here", "vfork", "thread"] {
            call(function, start, &runtime).starts_shim_for(&runtime);
        }
    }
    for function in BY_FILE.iter().chain(&["execveat-in"]) {
        for start in ["here", "vfork", "thread"] {
            call(function, start, &runtime).starts_shim_for(&runtime);
        }
    }
}

#[test]
fn relative_paths_stay_as_typed() {
    let runtime = kit().runtime("relative", "singularity");
    let directory = runtime.parent().unwrap();
    let parent = directory.parent().unwrap();
    for function in BY_PATH {
        // With file actions, the new process may be in another directory, so calls with relative
        // paths are unchanged.
        if function != "posix_spawn-actions" {
            call(function, "vfork", "./singularity")
                .within(directory)
                .starts_shim_for("./singularity");
            let path = "relative/singularity";
            call(function, "vfork", path).within(parent).starts_shim_for(path);
        }
    }
    // These functions do not search in `PATH`, so the path needs no slash.
    for function in ["execve", "execv", "execl", "execle", "execveat", "posix_spawn"] {
        call(function, "vfork", "singularity").within(directory).starts_shim_for("singularity");
    }
    let within = call("execveat-in", "vfork", "relative/singularity").env("IN", parent);
    within.starts_shim_for(&runtime);
}

#[test]
fn a_link_counts_by_its_own_name() {
    let runtime = kit().runtime("link", "apptainer");
    let (link, other) = (runtime.with_file_name("singularity"), runtime.with_file_name("other"));
    symlink("apptainer", &link).unwrap();
    symlink("apptainer", &other).unwrap();
    call("execve", "here", &link).starts_shim_for(&link);
    call("execve", "here", &other).passes();
    // For an open file, the kernel only provides the resolved path.
    call("fexecve", "here", &link).starts_shim_for(&runtime);
    call("fexecve", "here", &other).starts_shim_for(&runtime);
}

#[test]
fn lists_of_any_length() {
    let runtime = kit().runtime("lists", "apptainer");
    let other = kit().runtime("lists", "other");
    for count in ["0", "3", "4", "5", "10", "300"] {
        for function in ["execl", "execlp", "execle"] {
            for start in ["here", "vfork"] {
                call(function, start, &runtime).arguments(&[count]).starts_shim_for(&runtime);
                let seen = call(function, start, &other).arguments(&[count]).passes();
                let length: usize = count.parse().unwrap();
                assert_eq!(seen.arguments().len(), length + 1);
                call(function, start, "/no/such/apptainer").arguments(&[count]).fails("ENOENT");
            }
        }
    }
}

#[test]
fn the_entry_of_an_outer_shim_is_replaced() {
    let runtime = kit().runtime("outer", "apptainer");
    for function in BY_PATH {
        let call = call(function, "vfork", &runtime);
        call.env("SINGULARITY_SIFCACHE_RUNTIME", "/old/apptainer").starts_shim_for(&runtime);
    }
}

#[test]
fn a_null_environment_is_an_empty_one() {
    let runtime = kit().runtime("no_environment", "apptainer");
    for function in ["execve", "execvpe", "execle", "execveat", "execveat-open", "posix_spawn"] {
        call(function, "vfork", &runtime).env("ODD", "envp=null").starts_shim_for(&runtime);
    }
    call("fexecve", "vfork", &runtime).env("ODD", "envp=null").fails("EINVAL");
}

#[test]
fn closed_descriptors_stay_closed() {
    let runtime = kit().runtime("closed", "apptainer");
    for function in BY_PATH.iter().chain(&BY_FILE) {
        call(function, "vfork", &runtime).env("ODD", "closed").starts_shim_for(&runtime);
    }
}

#[test]
fn the_setting_names_the_runtimes() {
    let sing = kit().runtime("setting", "sing");
    let apptainer = kit().runtime("setting", "apptainer");
    let settings = "image_root=/a:/b runtimes=other,sing nested=preload";
    for function in BY_PATH.iter().chain(&BY_FILE) {
        call(function, "here", &sing).passes();
        call(function, "here", &sing).env("SINGULARITY_SIFCACHE", settings).starts_shim_for(&sing);
        call(function, "here", &apptainer).env("SINGULARITY_SIFCACHE", settings).passes();
        let default =
            call(function, "here", &apptainer).env("SINGULARITY_SIFCACHE", "image_root=/a");
        default.starts_shim_for(&apptainer);
    }
}

#[test]
fn a_path_of_the_maximum_length() {
    let mut directory = kit().directory("long");
    while directory.as_os_str().len() < 3800 {
        directory.push("d".repeat(200));
    }
    std::fs::create_dir_all(&directory).unwrap();
    let rest = 4095 - directory.as_os_str().len() - "//apptainer".len();
    let directory = directory.join("e".repeat(rest));
    let runtime = directory.join("apptainer");
    assert_eq!(runtime.as_os_str().len(), 4095);
    kit().install(&runtime);
    call("execve", "thread", &runtime).starts_shim_for(&runtime);
    call("execvp", "thread", "apptainer").env("PATH", &directory).starts_shim_for(&runtime);
    call("execve", "thread", Path::new("/").join(format!("x{}", runtime.display())))
        .fails("ENAMETOOLONG");
}
