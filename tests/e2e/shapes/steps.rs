//! Steps: srun, salloc, terminals, several commands.

use super::{LAUNCH, script, shape};
use crate::kit::{Output, Site, plugins_can_prepend};

fn bash(options: &[&str]) -> impl Fn(&Site) -> Output {
    // Without a PATH, Slurm needs the path of the command.
    move |site| site.srun(&[options, &["/bin/bash", "-c", LAUNCH]].concat())
}

#[test]
#[ignore = "needs a testbed: make test"]
fn srun() {
    shape("`srun` of the runtime itself", 1, |site| site.launch(&[], "docker://o/i:1"));
    shape("`srun bash -c`", 1, bash(&[]));
    shape("`srun bash -c`, six tasks on two nodes", 6, bash(&["-N2", "-n6"]));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn srun_in_a_batch_script() {
    script("`srun` of the runtime in a batch script", &format!("srun {LAUNCH}"));
    script("`srun bash -c` in a batch script", &format!("srun bash -c '{LAUNCH}'"));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn exported_variables() {
    for (name, export) in [
        ("`srun --export=NONE bash -c`", "--export=NONE"),
        ("`srun --export=A=B bash -c`", "--export=A=B"),
    ] {
        shape(name, 1, bash(&[export]));
    }
}

/// Runs a command on a terminal, with `typed` as its input.
fn at_a_terminal(site: &Site, command: &str, typed: &str) -> Output {
    let words = ["script", "--quiet", "--return", "--command", command, "/dev/null"];
    site.exec(&["--user", "alice"], &words, typed)
}

#[test]
#[ignore = "needs a testbed: make test"]
fn terminals() {
    shape("`srun --pty bash`, typed at its prompt", 1, |site| {
        at_a_terminal(site, "srun --pty bash", &format!("{LAUNCH}\nexit $?\n"))
    });
    shape("`salloc` with an interactive step, typed at its prompt", 1, |site| {
        at_a_terminal(site, "salloc", &format!("{LAUNCH}\nexit $?\n"))
    });
}

#[test]
#[ignore = "needs a testbed: make test"]
fn several_programs() {
    let run = |lines: String| {
        move |site: &Site| {
            let file = site.at("ctl", "/home/alice/programs");
            std::fs::write(file, &lines).unwrap();
            site.srun(&["-N2", "-n3", "--multi-prog", "/home/alice/programs"])
        }
    };
    let programs = format!("# by name, by path\n0 {LAUNCH}\n1,2 /usr/bin/{LAUNCH}\n");
    // For releases before 23.11, see nested::a_slurm_that_cannot_prepend.
    if plugins_can_prepend() {
        shape("`srun --multi-prog`, runtimes as programs", 3, run(programs));
    }
    let scripts = format!("0 bash -c '{LAUNCH}'\n1-2 env A=B sh -c '{LAUNCH}'\n");
    shape("`srun --multi-prog`, scripts as programs", 3, run(scripts));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_heterogeneous_job() {
    shape("a heterogeneous job", 2, |site| {
        let step = format!("srun --het-group=0,1 bash -c '{LAUNCH}'");
        site.sbatch(
            // Each component gets its own node, so the options name no node.
            &["-N1"],
            &format!("#!/bin/bash\n#SBATCH -n1\n#SBATCH hetjob\n#SBATCH -n1\n{step}\n"),
        )
    });
}
