//! Batch jobs, and the shells that they run in.

use super::{LAUNCH, script, shape};
use std::fs;

#[test]
#[ignore = "needs a testbed: make test"]
fn batch_script() {
    script("a batch script", LAUNCH);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn wrap() {
    shape("`sbatch --wrap`", 1, |site| site.submit(&[], &[&format!("--wrap={LAUNCH}")]));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn login_shells() {
    script("`#!/bin/bash -l`", &format!("#!/bin/bash -l\n{LAUNCH}\n"));
    // tcsh accepts -l only as its sole argument, which the first line of a script cannot provide.
    shape("`exec tcsh -l` in a batch script", 1, |site| {
        site.sbatch(&[], &format!("exec tcsh -l <<'END'\n{LAUNCH}\nEND"))
    });
}

#[test]
#[ignore = "needs a testbed: make test"]
fn zsh_and_fish() {
    script("`#!/usr/bin/zsh -l`", &format!("#!/usr/bin/zsh -l\n{LAUNCH}\n"));
    script("`zsh -c`", &format!("zsh -c '{LAUNCH}; exit $?'"));
    script("`#!/usr/bin/fish -l`", &format!("#!/usr/bin/fish -l\n{LAUNCH}\n"));
    script("`fish -c`", &format!("fish -c '{LAUNCH}; exit $status'"));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn job_array() {
    shape("a job array with three tasks", 3, |site| {
        let each = "--output=/home/alice/array.%a";
        let mut output = site.sbatch(&["--array=1-3", each], LAUNCH);
        output.stdout = (1..=3)
            .map(|task| site.at("ctl", &format!("/home/alice/array.{task}")))
            .map(|file| fs::read_to_string(file).unwrap())
            .collect();
        output
    });
}

#[test]
#[ignore = "needs a testbed: make test"]
fn exported_variables() {
    for (name, export) in
        [("`sbatch --export=NONE`", "--export=NONE"), ("`sbatch --export=A=B`", "--export=A=B")]
    {
        shape(name, 1, |site| site.sbatch(&[export], LAUNCH));
    }
}

/// The heredoc, function, subshell and pipe are all forks of bash.
#[test]
#[ignore = "needs a testbed: make test"]
fn shell_constructs() {
    script("a pipe in a subshell in the background", &format!("({LAUNCH} | cat) & wait %1"));
    script("the shell's `exec`", &format!("exec {LAUNCH}"));
    script("`eval`, a function, an alias", &format!("f() {{ eval '{LAUNCH}'; }}; f"));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn absolute_paths() {
    script("the runtime by its absolute path", &format!("/usr/bin/{LAUNCH}"));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn environments_that_are_cleared() {
    script("`env -i` before the runtime", &format!("env -i HOME=$HOME {LAUNCH}"));
    script("`PATH=/usr/bin:$PATH` in the script", &format!("PATH=/usr/bin:$PATH\n{LAUNCH}"));
    script(
        "`unset LD_PRELOAD`, then another script",
        &format!("unset LD_PRELOAD\nbash -c '{LAUNCH}; exit $?'"),
    );
}

/// A user's own script with the name of the runtime decides itself what to start. The script is put
/// first in `PATH` in several ways.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_users_script_with_the_name_of_the_runtime() {
    let own = |site: &crate::kit::Site, text: &str, job: &str| {
        let directory = site.at("ctl", "/home/alice/bin");
        fs::create_dir_all(&directory).unwrap();
        let text = format!("#!/bin/bash\necho mine: $1 >&2\n{text}\n");
        crate::kit::program(&directory.join("apptainer"), &text);
        let job = format!("PATH=$HOME/bin:$PATH\n{job}");
        let output = site.sbatch(&[], &job);
        assert_eq!(output.stdout.matches("mine: ").count(), 1, "{output:#?}");
        output
    };
    let others = "PATH=${PATH//$HOME\\/bin:/}";
    shape("a user's script `apptainer` that starts the runtime by name", 1, |site| {
        own(site, &format!("{others}; exec apptainer \"$@\""), LAUNCH)
    });
    shape("a user's script `apptainer` that starts the runtime by absolute path", 1, |site| {
        own(site, "exec /usr/bin/apptainer \"$@\"", LAUNCH)
    });
    shape("a user's script `apptainer` that contains the whole launch", 1, |site| {
        own(site, &format!("{others}; {LAUNCH}"), "apptainer myjob")
    });
}

/// The script comes after the shim in `PATH`, so the shim calls the script with the path of the
/// image.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_users_script_in_the_path_of_the_submission() {
    shape("a user's script `apptainer`, in `PATH` when the job was submitted", 1, |site| {
        let directory = site.at("ctl", "/home/alice/bin");
        fs::create_dir_all(&directory).unwrap();
        let text = "#!/bin/bash\necho mine: $1 >&2\nexec /usr/bin/apptainer \"$@\"\n";
        crate::kit::program(&directory.join("apptainer"), text);
        fs::write(site.at("ctl", "/home/alice/job.sh"), format!("#!/bin/bash\n{LAUNCH}\n"))
            .unwrap();
        let path = "PATH=/home/alice/bin:/usr/bin:/bin";
        let words = ["env", path, "sbatch", "--wait", "--output=/home/alice/own.out", "job.sh"];
        let mut output = site.alice(&words);
        output.stdout = fs::read_to_string(site.at("ctl", "/home/alice/own.out")).unwrap();
        assert_eq!(output.stdout.matches("mine: exec").count(), 1, "{output:#?}");
        output
    });
}

/// The inner launch happens inside the container. There, the runtime is a script that is bound into
/// the image and prints its arguments.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_launch_in_a_launch() {
    const INNER: &str = "apptainer exec docker://o/i:1 true";
    shape("the outer launch of `apptainer exec docker://A apptainer exec docker://B`", 1, |site| {
        let stand_in = "#!/bin/sh\necho inner: apptainer \"$@\"; cat /etc/image-name\n";
        crate::kit::program(&site.at("ctl", "/home/alice/inner"), stand_in);
        let bind = "--bind /home/alice/inner:/bin/apptainer";
        let output = site.sbatch(&[], &format!("apptainer exec {bind} docker://o/i:1 {INNER}"));
        let intact = output.stdout.contains(&format!("inner: {INNER}\n"));
        assert_eq!(intact, output.status == 0, "{output:#?}");
        output
    });
}
