//! `--sif-cache` and `SIF_CACHE`, for srun, sbatch and salloc.

use crate::kit::{IMAGE, Output, Site};

const CACHED: &str = "docker://o/i:1";
const ABSENT: &str = "docker://o/i:2";

fn site() -> Site {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    site
}

#[test]
#[ignore = "needs a testbed: make test"]
fn srun_help_shows_it() {
    let help = site().srun(&["--help"]).stdout;
    assert!(help.contains("--sif-cache=auto|off|wait|require"), "{help}");
    for command in ["sbatch", "salloc"] {
        let help = site().alice(&[command, "--help"]).stdout;
        assert!(help.contains("--sif-cache=auto|off|wait|require"), "{help}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_bad_value_is_refused_at_submission() {
    let site = site();
    for command in [["srun"].as_slice(), &["sbatch", "--wrap=true"], &["salloc"]] {
        for value in ["", "requird", "Auto"] {
            let option = format!("--sif-cache={value}");
            let (name, rest) = command.split_first().unwrap();
            let output = site.alice(
                &[&[*name, &option], rest, &["true"][..usize::from(rest.is_empty())]].concat(),
            );
            assert_ne!(output.status, 0, "{output:#?}");
            let line = format!(
                "{name}: error: sifcache: {option}: valid values are auto, off, wait, require"
            );
            assert!(output.stderr.contains(&line), "{output:#?}");
            assert!(!output.stdout.contains("Submitted"), "{output:#?}");
        }
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn srun() {
    let site = site();
    site.launch(&["--sif-cache=auto"], CACHED).ran(IMAGE);
    site.launch(&["--sif-cache=require"], CACHED).ran(IMAGE);
    site.launch(&["--sif-cache=off"], CACHED).tried_the_registry();
    site.launch(&["--sif-cache=auto"], ABSENT).tried_the_registry();
    assert_eq!(site.launch(&["--sif-cache=require"], ABSENT).status, 66);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_option_overrides_the_environment() {
    let site = site();
    let with = |value: &str, flags: &[&str], image: &str| {
        let variable = format!("SIF_CACHE={value}");
        let words = [&["srun"], flags, &["apptainer", "exec", image, "cat", "/etc/image-name"]];
        site.exec(&["--user", "alice", "--env", &variable], &words.concat(), "")
    };
    with("auto", &[], CACHED).ran(IMAGE);
    with("off", &[], CACHED).tried_the_registry();
    assert_eq!(with("require", &[], ABSENT).status, 66);
    with("off", &["--sif-cache=auto"], CACHED).ran(IMAGE);
    with("require", &["--sif-cache=auto"], ABSENT).tried_the_registry();
    let wrong = with("requird", &[], CACHED);
    wrong.ran(IMAGE);
    assert!(wrong.stderr.contains("SIF_CACHE=requird is ignored"), "{wrong:#?}");
}

/// In an allocation, the option of salloc applies to the steps that srun starts there.
#[test]
#[ignore = "needs a testbed: make test"]
fn salloc() {
    let site = site();
    let run = |option: &str, flag: &[&str], image: &str| -> Output {
        let words = [
            &["salloc", option, "srun"],
            flag,
            &["apptainer", "exec", image, "cat", "/etc/image-name"],
        ];
        site.alice(&words.concat())
    };
    run("--sif-cache=auto", &[], CACHED).ran(IMAGE);
    run("--sif-cache=off", &[], CACHED).tried_the_registry();
    assert_eq!(run("--sif-cache=require", &[], ABSENT).status, 66);
    run("--sif-cache=off", &["--sif-cache=auto"], CACHED).ran(IMAGE);
}
