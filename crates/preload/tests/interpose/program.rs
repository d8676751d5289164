//! System programs that run with the interposer.

use crate::kit::{compile, kit};
use std::path::Path;
use std::process::{Command, Output};

fn run(program: &str, arguments: &[&str], path: &Path) -> Output {
    let mut command = Command::new(program);
    let old = std::env::var("PATH").unwrap_or_default();
    command.args(arguments).env("PATH", format!("{}:{old}", path.display()));
    command.env("LD_PRELOAD", &kit().library).output().unwrap()
}

/// The number of times that the shim was started with the path `runtime`.
fn shims(output: &Output, runtime: &Path) -> usize {
    let text = String::from_utf8_lossy(&output.stdout);
    let shim = format!("exe {}", kit().libexec.join("sifcache-shim").display());
    let variable = format!("env SINGULARITY_SIFCACHE_RUNTIME={}", runtime.display());
    let count = |line: &str| text.lines().filter(|other| *other == line).count();
    assert_eq!(count(&shim), count(&variable), "{text}");
    assert_eq!(text.matches("exe ").count(), count(&shim), "{text}");
    count(&shim)
}

#[test]
fn shells_and_starters() {
    let runtime = kit().runtime("shells", "apptainer");
    let here = runtime.parent().unwrap();
    for (program, arguments) in [
        ("sh", ["-c", "apptainer run x; :"].as_slice()),
        ("sh", &["-c", "exec apptainer run x"]),
        ("bash", &["-c", "apptainer run x; :"]),
        ("bash", &["-lc", "exec \"$0\" run x", runtime.to_str().unwrap()]),
        ("env", &["apptainer", "run", "x"]),
        ("nice", &["apptainer", "run", "x"]),
        ("timeout", &["9", "apptainer", "run", "x"]),
        ("nohup", &["apptainer", "run", "x"]),
        ("sh", &["-c", "echo x | xargs apptainer run"]),
        ("find", &["/", "-maxdepth", "0", "-exec", "apptainer", "run", "x", ";"]),
    ] {
        let output = run(program, arguments, here);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(shims(&output, &runtime), 1, "{program} {arguments:?}: {output:?}");
        assert!(text.contains("argv run\nargv x\n"), "{text}");
    }
}

#[test]
fn python() {
    if Command::new("python3").arg("-V").output().is_err() {
        eprintln!("skipped: no python3");
        return;
    }
    let runtime = kit().runtime("python", "singularity");
    let program = "
import os, subprocess, sys
words = ['singularity', 'run', 'x']
subprocess.run(words, check=True)
subprocess.run(words, check=True, close_fds=False)
subprocess.run(words, check=True, cwd='/', env=dict(os.environ, A='b'))
subprocess.run(' '.join(words), check=True, shell=True)
os.waitpid(os.posix_spawn(sys.argv[1], words, os.environ), 0)
os.waitpid(os.posix_spawnp('singularity', words, os.environ), 0)
os.spawnvp(os.P_WAIT, 'singularity', words)
if os.fork() == 0:
    os.execvp('singularity', words)
os.wait()
if os.fork() == 0:
    os.execve(os.open(sys.argv[1], os.O_RDONLY), words, os.environ)
os.wait()
for missing in ['/no/such/singularity', 'no/singularity']:
    try:
        subprocess.run([missing])
    except FileNotFoundError:
        continue
    sys.exit('no error for ' + missing)
";
    let arguments = ["-c", program, runtime.to_str().unwrap()];
    let output = run("python3", &arguments, runtime.parent().unwrap());
    assert!(output.status.success(), "{output:?}");
    assert_eq!(shims(&output, &runtime), 9, "{output:?}");
}

#[test]
fn libraries_that_start_a_program_before_the_interposer_is_loaded() {
    let runtime = kit().runtime("early", "apptainer");
    let early = compile("early", &kit().root);
    let libraries = format!("{}:{}", kit().library.display(), early.display());
    let mut command = Command::new("true");
    let output = command.env("LD_PRELOAD", libraries).env("EARLY", &runtime).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let runs = text.matches(&format!("exe {}\nargv zero\n", runtime.display())).count();
    assert_eq!(runs, 2, "{output:?}");
}

#[test]
fn programs_that_start_no_runtime() {
    let nowhere = kit().directory("none");
    for (program, arguments, wanted) in [
        ("true", [].as_slice(), ""),
        ("echo", &["a", "b"], "a b\n"),
        ("sh", &["-c", "apptainer 2>/dev/null || echo $?"], "127\n"),
        ("sh", &["-c", "ls / >/dev/null; echo \"$LD_PRELOAD\" | wc -l"], "1\n"),
    ] {
        let output = run(program, arguments, &nowhere);
        assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}
