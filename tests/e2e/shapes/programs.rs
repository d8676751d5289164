//! Programs that start the runtime.

use super::{LAUNCH, script, shape};
use std::fs;

#[test]
#[ignore = "needs a testbed: make test"]
fn programs_before_the_runtime() {
    for (name, before) in [
        ("`srun env A=B`", "env A=B"),
        ("`srun numactl`", "numactl --localalloc"),
        ("`srun nice`", "nice -n 5"),
        ("`srun timeout`", "timeout 60"),
        ("`srun stdbuf`", "stdbuf -oL"),
        ("`srun /usr/bin/time`", "/usr/bin/time -p"),
    ] {
        shape(name, 1, |site| {
            let words: Vec<&str> = before.split(' ').chain(LAUNCH.split(' ')).collect();
            site.srun(&words)
        });
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn python() {
    let argv = r#"["apptainer", "exec", "docker://o/i:1", "cat", "/etc/image-name"]"#;
    let python = |body: &str| format!("#!/usr/bin/python3\nimport os, subprocess, sys\n{body}\n");
    script(
        "Python's `subprocess.run`",
        &python(&format!("sys.exit(subprocess.run({argv}).returncode)")),
    );
    script(
        "Python's `subprocess.run` with `shell=True`",
        &python(&format!("sys.exit(subprocess.run('{LAUNCH}', shell=True).returncode)")),
    );
    let spawn = |call: &str| {
        let wait = "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";
        python(&format!("pid = {call}, {argv}, os.environ)\n{wait}"))
    };
    script("Python's `os.posix_spawnp`", &spawn("os.posix_spawnp(\"apptainer\""));
    script("Python's `os.posix_spawn`", &spawn("os.posix_spawn(\"/usr/bin/apptainer\""));
    script("Python's `os.execvp`", &python(&format!("os.execvp('apptainer', {argv})")));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn perl() {
    let system = format!("#!/usr/bin/perl\nexit(system(qw({LAUNCH})) >> 8);\n");
    script("Perl's `system`", &system);
    let shell = format!("#!/usr/bin/perl\nprint `{LAUNCH}`; exit($? >> 8);\n");
    script("Perl's backquotes", &shell);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn make() {
    shape("a Makefile", 1, |site| {
        let makefile = format!("all:\n\t@{LAUNCH}\n");
        fs::write(site.at("ctl", "/home/alice/Makefile"), makefile).unwrap();
        site.sbatch(&[], "make --directory=$HOME")
    });
}

/// A static program has no dynamic linker that could load the interposer.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_static_shell() {
    script("a statically linked shell", &format!("busybox sh -c '{LAUNCH}; exit $?'"));
}
