//! Batch jobs: the option of sbatch applies to the steps of the script.

use crate::kit::{IMAGE, Site};
use std::fs;

const CACHED: &str = "docker://o/i:1";
const ABSENT: &str = "docker://o/i:2";

#[test]
#[ignore = "needs a testbed: make test"]
fn every_value() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let step = |image: &str| format!("srun apptainer exec {image} cat /etc/image-name");
    for options in [[].as_slice(), &["--sif-cache=auto"], &["--sif-cache=require"]] {
        site.sbatch(options, &step(CACHED)).ran(IMAGE);
    }
    let off = site.sbatch(&["--sif-cache=off"], &step(CACHED));
    assert!(off.status != 0 && off.stdout.contains("connection refused"), "{off:#?}");
    let require = site.sbatch(&["--sif-cache=require"], &step(ABSENT));
    assert_eq!(require.status, 66, "{require:#?}");
    assert!(require.stdout.contains("o/i:2 is not in the image cache"), "{require:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn in_the_script_and_with_an_empty_environment() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let step = format!("srun apptainer exec {ABSENT} cat /etc/image-name");
    let directive = site.sbatch(&[], &format!("#SBATCH --sif-cache=require\n{step}"));
    assert_eq!(directive.status, 66, "{directive:#?}");
    let empty = site.sbatch(&["--sif-cache=require", "--export=NONE"], &step);
    assert_eq!(empty.status, 66, "{empty:#?}");
}

/// Without the option, the plugin adds no variable to the job's environment.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_environment_of_the_script_is_unchanged() {
    let site = Site::new("nested=off");
    let none = site.sbatch(&[], "env | grep -i ^sif || true");
    assert_eq!(none.stdout, "", "{none:#?}");
    let some = site.sbatch(&["--sif-cache=off"], "env | grep -i ^sif");
    assert_eq!(some.stdout, "SIF_CACHE=off\n", "{some:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn arrays_and_wrap() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let step = format!("--wrap=srun apptainer exec {CACHED} cat /etc/image-name");
    let words = ["sbatch", "--wait", "--array=1-3", "--output=/home/alice/array.%a", &step];
    assert_eq!(site.alice(&words).status, 0);
    for task in 1..=3 {
        let output =
            fs::read_to_string(site.at("ctl", &format!("/home/alice/array.{task}"))).unwrap();
        assert_eq!(output.trim_end(), IMAGE);
    }
}
