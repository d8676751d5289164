//! Things that the plugin must not change, whatever the value of `nested=`: variables, containers,
//! unusual programs.

use crate::kit::{IMAGE, SHARED, Site, stable_variables};
use std::fs;
use std::process::Command;

const MODES: [&str; 3] = ["nested=off", "nested=path", "nested=preload"];
/// A plugstack.conf without the plugin.
const WITHOUT: &str = "# nothing\n";

fn with(mode: &str) -> String {
    format!("optional spank_sifcache.so image_root=/local/sif:{SHARED} {mode}\n")
}

/// The environment variables of a step, of a batch script, and of a step of a batch script.
fn variables(site: &Site, options: &[&str]) -> [Vec<String>; 3] {
    let own = site.srun(&[options, &["/usr/bin/env"]].concat());
    let script = site.sbatch(options, "env");
    let step = site.sbatch(options, "srun /usr/bin/env");
    [own, script, step].map(|output| stable_variables(&output.stdout))
}

#[test]
#[ignore = "needs a testbed: make test"]
fn off_changes_no_variable() {
    let site = Site::with_line(WITHOUT);
    for options in [&[] as &[&str], &["--export=NONE"], &["--export=A=B"]] {
        site.plugstack(WITHOUT);
        let without = variables(&site, options);
        assert!(without.iter().all(|variables| variables.len() > 10), "{without:#?}");
        site.plugstack(&with("nested=off"));
        assert_eq!(variables(&site, options), without, "{options:?}");
    }
}

/// With `nested=path` and `nested=preload`, at most these three variables differ, and only by the
/// part that the plugin adds.
#[test]
#[ignore = "needs a testbed: make test"]
fn variables_that_a_script_sees() {
    let site = Site::with_line(WITHOUT);
    let [without, ..] = variables(&site, &[]);
    for (mode, names) in [
        ("nested=path", ["PATH=", "SINGULARITY_SIFCACHE="]),
        ("nested=preload", ["LD_PRELOAD=", "SINGULARITY_SIFCACHE="]),
    ] {
        site.plugstack(&with(mode));
        let [own, ..] = variables(&site, &[]);
        let new: Vec<&String> = own.iter().filter(|line| !without.contains(line)).collect();
        assert_eq!(new.len(), 2, "{mode}: {new:?}");
        assert!(new.iter().zip(names).all(|(line, name)| line.starts_with(name)), "{new:?}");
    }
}

/// The program in the container cannot detect the plugin: its environment is the same as in a job
/// without the plugin that starts the image by its path.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_environment_in_the_container() {
    let site = Site::with_line(WITHOUT);
    site.store(IMAGE, IMAGE);
    let run = |script: &str, image: &str| {
        // Only the output of env is compared, because on a slow machine the runtime prints a
        // warning when a mount takes long.
        let output = site.sbatch(&[], &format!("{script} {image} env 2>env.err"));
        let stderr = fs::read_to_string(site.at("ctl", "/home/alice/env.err"));
        assert_eq!(output.status, 0, "{output:#?} {stderr:?}");
        stable_variables(&output.stdout)
    };
    let (typed, docker) = (format!("{SHARED}/{IMAGE}"), format!("docker://{IMAGE}"));
    for (launch, modes) in [
        // With nested=off, the plugin handles only the command of a step.
        ("srun apptainer exec", MODES.as_slice()),
        ("srun bash -c 'exec \"$@\"' bash apptainer exec", &MODES[1..]),
        ("apptainer exec", &MODES[1..]),
        ("singularity exec", &MODES[1..]),
    ] {
        site.plugstack(WITHOUT);
        let without = run(launch, &typed);
        assert!(without.len() > 10, "{without:#?}");
        for mode in modes {
            site.plugstack(&with(mode));
            assert_eq!(run(launch, &docker), without, "{mode} {launch}");
            // An image that is given by its path is a pass.
            assert_eq!(run(launch, &typed), without, "{mode} {launch}");
        }
    }
}

/// Builds a set-uid program, and a library that prints a line when it is loaded.
fn build(site: &Site) {
    let home = site.at("ctl", "/home/alice");
    let source = home.join("source.c");
    let compile = |text: &str, options: &[&str], name: &str| {
        fs::write(&source, text).unwrap();
        let mut cc = Command::new("cc");
        cc.args(options).arg(&source).arg("-o").arg(home.join(name));
        assert!(cc.status().unwrap().success());
    };
    compile(
        "#include <stdio.h>\n#include <unistd.h>\nint main(){printf(\"%d\\n\",geteuid());}",
        &[],
        "setuid",
    );
    compile(
        "#include <unistd.h>\n__attribute__((constructor)) void f(){write(1,\"mine\\n\",5);}",
        &["-shared", "-fPIC"],
        "mine.so",
    );
    site.exec(&[], &["chmod", "4755", "/home/alice/setuid"], "");
}

/// Programs that are known to be sensitive to changes of their environment.
const ODD: &str = r#"
busybox echo static; busybox sh -c 'busybox echo and its child'
/home/alice/setuid
LD_PRELOAD=/home/alice/mine.so /bin/true
LD_PRELOAD=/home/alice/mine.so /bin/sh -c '/bin/true; exec /bin/echo x'
(ulimit -u 1; exec /bin/echo a full process table)
(ulimit -n 4; exec /bin/echo one descriptor)
(ulimit -v 20000; exec /bin/echo little memory)
env PATH= /bin/sh -c 'true; /bin/echo empty $?'
env -u PATH /bin/sh -c '/bin/echo unset $?'
PATH=$(printf 'x%.0s' {1..100000}):$PATH /bin/sh -c 'true; echo long $?; no-such-program'
env -i /bin/echo no variables
(exec -a odd-name /bin/sh -c 'echo $0')
no-such-program; ./no-such-program; /etc; /etc/passwd
(exec apptainer --version); apptainer no-such-subcommand; /bin/false
"#;

#[test]
#[ignore = "needs a testbed: make test"]
fn odd_programs_run_as_before() {
    let site = Site::with_line(WITHOUT);
    build(&site);
    let run = || {
        let output = site.sbatch(&[], ODD);
        // Bash prefixes its messages with the name of the script, which Slurm changes for each job.
        let line = |line: &str| line.rsplit("slurm_script: ").next().unwrap().to_owned();
        (output.status, output.stdout.lines().map(line).collect::<Vec<_>>())
    };
    let without = run();
    for expected in [
        "static",
        "0",
        "mine",
        "a full process table",
        "one descriptor",
        "little memory",
        "empty 0",
        "long 0",
    ] {
        assert!(without.1.iter().any(|line| line == expected), "{expected}: {without:#?}");
    }
    for mode in MODES {
        site.plugstack(&with(mode));
        assert_eq!(run(), without, "{mode}");
    }
}

/// The `PATH` of the whole job: empty, unset, and as long as the kernel allows.
#[test]
#[ignore = "needs a testbed: make test"]
fn odd_paths_of_a_job() {
    let site = Site::with_line(WITHOUT);
    let run = |path: &[&str], length: &str| {
        let long = format!(
            "{} exec {} /usr/bin/srun /bin/sh -c 'echo ${{#PATH}}; /bin/true; ls -d /'",
            format_args!("p=/usr/bin:$(printf '%0{length}d' 0);"),
            path.join(" ")
        );
        let output = site.alice(&["bash", "-c", &long]);
        // srun and the task write at the same time.
        let mut stderr: Vec<String> = output.stderr.lines().map(str::to_owned).collect();
        stderr.sort();
        (output.status, output.stdout, stderr)
    };
    let cases: [(&[&str], &str); 5] = [
        (&["env", "PATH="], "1"),
        (&["env", "-u", "PATH"], "1"),
        (&["env", "PATH=$p"], "100000"),
        (&["env", "PATH=$p"], "131050"),
        (&["env", "PATH=$p"], "131000"),
    ];
    for (path, length) in cases {
        site.plugstack(WITHOUT);
        let without = run(path, length);
        for mode in MODES {
            site.plugstack(&with(mode));
            let (status, stdout, stderr) = run(path, length);
            assert_eq!((status, &stderr), (without.0, &without.2), "{mode} {path:?} {length}");
            // Only the length may differ.
            let rest = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(rest(&stdout), rest(&without.1), "{mode} {path:?} {length}");
        }
    }
}

/// A job with a `PATH` of 100 KB is covered like any other.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_long_path_is_covered() {
    for mode in &MODES[1..] {
        let site = Site::new(mode);
        site.store(IMAGE, "o/i:1");
        let job = "PATH=$(printf '/x%.0s' {1..50000}):$PATH; export PATH\n\
                   srun sh -c 'exec apptainer exec docker://o/i:1 cat /etc/image-name'";
        site.sbatch(&[], job).ran(IMAGE);
    }
}

/// The shim's directory is missing on n1: jobs run as without the shim, and the log reports it.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_node_without_the_shim() {
    let site = Site::with_line(WITHOUT);
    site.store(IMAGE, "o/i:1");
    let _back = Away::new(&site, "n1");
    let job = |launch: &str| site.sbatch(&["-N2", "--ntasks-per-node=2"], launch);
    let without = job("env; srun env; apptainer exec docker://o/i:1 true");
    for mode in &MODES[1..] {
        site.plugstack(&with(mode));
        let before = warnings(&site, "n1");
        let output = job("env; srun -N1 -w n1 -n2 env; apptainer exec docker://o/i:1 true");
        assert!(output.stdout.contains("connection refused"), "{output:#?}");
        for strange in ["SINGULARITY_SIFCACHE", "libexec", "ld.so"] {
            let lines: Vec<&str> =
                output.stdout.lines().filter(|line| line.contains(strange)).collect();
            assert!(lines.is_empty(), "{mode}: {lines:#?}");
        }
        // Two messages: one for the script, and one for the step of two tasks.
        assert_eq!(warnings(&site, "n1"), before + 2, "{mode}: {}", site.log("n1"));
        // The variables that n2 passes on are removed on n1.
        let handed = site.sbatch(&["-N2", "-w", "n2"], "srun -w n1 -N1 -n1 env");
        assert!(
            !handed.stdout.contains("LD_PRELOAD") && !handed.stdout.contains("ld.so"),
            "{handed:#?}"
        );
        job("srun apptainer exec docker://o/i:1 true");
    }
    assert!(without.stdout.contains("connection refused"), "{without:#?}");
}

fn warnings(site: &Site, host: &str) -> usize {
    site.log(host).matches("launches inside job scripts are not covered on this node").count()
}

/// Renames the shim's directory until this is dropped.
struct Away<'a>(&'a Site, &'static str);

const DIRECTORY: &str = "/usr/libexec/sifcache";

impl<'a> Away<'a> {
    fn new(site: &'a Site, host: &'static str) -> Self {
        let away = format!("{DIRECTORY}.away");
        let output = site.exec(&["--on", host], &["mv", DIRECTORY, &away], "");
        assert_eq!(output.status, 0, "{output:#?}");
        Self(site, host)
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        let away = format!("{DIRECTORY}.away");
        self.0.exec(&["--on", self.1], &["mv", &away, DIRECTORY], "");
    }
}
