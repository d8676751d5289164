//! A command of `srun --multi-prog`, which the shim executes instead of slurmstepd.

use crate::call::Call;
use crate::kit::{HIT, MISS, Site};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn task<'a>(site: &'a Site, mode: &str, command: &[&str]) -> Call<'a> {
    let settings = site.settings();
    let shim = site.text("sifcache-shim");
    let own = [shim.as_str(), "--multi-prog", &settings, mode];
    Call::new(site, &[&own, command].concat()).program("sifcache-shim").path("real")
}

/// The call that slurmstepd would make: the same without the shim's own arguments.
fn slurmstepd<'a>(site: &'a Site, command: &[&str]) -> Call<'a> {
    Call::new(site, command).path("real").settings(Some(&site.settings()))
}

#[test]
fn a_launch_gets_its_image() {
    let site = Site::new();
    let real = site.text("real/apptainer");
    let image = site.image();
    for path in ["real", "shims real", "shims/ nowhere real"] {
        let through = task(&site, "auto", &HIT).path(path).run();
        let bare = slurmstepd(&site, &[&real, "exec", &image, "true"]).path(path).bare().run();
        assert_eq!(through.reported("argv"), bare.reported("argv"));
        assert_eq!(through.reported("environ"), bare.reported("environ"));
    }
    for (mode, command) in [("off", &HIT), ("auto", &MISS)] {
        let through = task(&site, mode, command).run();
        assert_eq!(through.reported("argv"), [&real, "exec", command[2], "true"]);
    }
    task(&site, "require", &MISS).run().ended(66, "docker.io/o/i:2");
    let absolute = task(&site, "auto", &[&real, "run", "docker://o/i:1"]).run();
    assert_eq!(absolute.reported("argv"), [&real, "run", &image]);
    let root = task(&site, "auto", &[&real, "run", "docker://o/i:1"]).variable("PATH=/:/").run();
    assert_eq!(root.reported("argv"), [&real, "run", &image]);
}

/// If a user's own program is before the shims in `PATH`, slurmstepd would have found it.
#[test]
fn the_first_file_in_path_is_executed() {
    let site = Site::new();
    site.real("own/apptainer");
    fs::create_dir_all(site.path("directory/apptainer")).unwrap();
    for path in ["own shims real", "shims own real", "directory own"] {
        let outcome = task(&site, "auto", &HIT).path(path).run();
        assert_eq!(outcome.reported("argv")[0], site.text("own/apptainer"), "{path}");
    }
    fs::write(site.path("directory/other"), "").unwrap();
    site.real("real/other");
    let outcome = task(&site, "auto", &["other"]).path("directory real").run();
    outcome.ended(libc::EACCES, &format!("execve(): {}", site.text("directory/other")));
}

/// The variables that the plugin has set for launches inside the program are kept, as for any other
/// task.
#[test]
fn another_program_is_left_alone() {
    let site = Site::new();
    site.real("real/program");
    let program = site.text("real/program");
    for path in ["real", "shims real"] {
        let words = ["program", "docker://o/i:1", "--multi-prog"];
        let through = task(&site, "require", &words).path(path).run();
        assert_eq!(through.reported("argv"), [&program, words[1], words[2]]);
        let mut variables = through.reported("environ");
        let before = variables.len();
        variables.retain(|variable| !variable.starts_with("SINGULARITY_SIFCACHE="));
        assert_eq!(before, variables.len() + 1);
    }
    let root = site.text("");
    let relative = task(&site, "auto", &["./real/program"]).set_up("directory", &root).run();
    let root = root.trim_end_matches('/');
    assert_eq!(relative.reported("argv"), [format!("{root}/./real/program")]);
}

/// A job has copied the runtime under another name, for example with sbcast.
#[test]
fn a_copied_runtime_is_reported_if_a_pull_is_forbidden() {
    let site = Site::new();
    // The file of the runtime under another name.
    site.real("copied");
    site.script("other", "#!/bin/sh\n");
    let line = |mode: &str, settings: &str, program: &str| {
        let settings = format!("{} {settings}", site.settings());
        let (shim, program) = (site.text("sifcache-shim"), site.text(program));
        let own = [shim.as_str(), "--multi-prog", &settings, mode, &program];
        let call = Call::new(&site, &[&own, &MISS[1..]].concat()).program("sifcache-shim");
        call.path("real").run().stderr
    };
    let reported = line("auto", "on_miss=fail", "copied");
    assert!(
        reported.contains("/copied does not have the name of a container runtime ("),
        "{reported}"
    );
    assert!(reported.contains("on_miss=fail in plugstack.conf"), "{reported}");
    let reported = line("require", "", "copied");
    assert!(reported.contains("--sif-cache=require"), "{reported}");
    assert_eq!(line("auto", "", "copied"), "");
    assert_eq!(line("off", "on_miss=fail", "copied"), "");
    assert_eq!(line("auto", "on_miss=fail", "other"), "", "another program");
}

#[test]
fn a_command_that_cannot_be_started_has_slurms_exit_status() {
    let site = Site::new();
    let failed = |program: &str, status: i32| {
        let root = site.text("");
        let outcome = task(&site, "auto", &[program, "x"]).set_up("directory", &root).run();
        outcome.ended(status, "sifcache: execve(): ");
        assert!(outcome.stderr.contains(program), "{outcome:#?}");
    };
    failed("missing", libc::ENOENT);
    failed("./missing", libc::ENOENT);
    failed("/no/where/missing", libc::ENOENT);
    failed("/etc/passwd", libc::EACCES);
    failed("/etc", libc::EACCES);
    failed("/etc/passwd/x", libc::ENOTDIR);
    // slurmstepd does not start a shell for a script without an interpreter line.
    site.script("real/text", "echo wrong\n");
    failed("text", libc::ENOEXEC);
    fs::set_permissions(site.path("real/text"), fs::Permissions::from_mode(0o644)).unwrap();
    failed("text", libc::EACCES);
    task(&site, "auto", &[]).run().ended(libc::ENOENT, "no executable program");
    let nowhere = task(&site, "auto", &["apptainer"]).variables(["X=1"]);
    nowhere.set_up("directory", &site.text("roots")).run().ended(libc::ENOENT, "apptainer");
}

#[test]
fn settings_that_are_wrong() {
    let site = Site::new();
    let shim = site.text("sifcache-shim");
    let call = |mode: &str| {
        let own = [shim.as_str(), "--multi-prog", "nonsense", mode];
        Call::new(&site, &[&own, &HIT[..]].concat()).program("sifcache-shim").path("real").run()
    };
    assert_eq!(call("auto").reported("argv")[2], HIT[2]);
    call("require").ended(66, "there are no valid settings");
}
