//! Tests `packaging/shims`, with which `make install` and the packages install a shim for each name
//! in `runtimes=`.
#![allow(clippy::unwrap_used)]

use sifcache_core::nested::shims::{LABEL_LENGTH, LINKED, directory_for, runtime_in_label};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Installs shims for these names. Returns each installed shim with the runtime that it stands for.
fn shims(names: &[&str]) -> Vec<String> {
    let directory =
        std::env::temp_dir().join(format!("shims-{}-{}", std::process::id(), names.len()));
    fs::create_dir(&directory).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/shims");
    let program = directory.join("program");
    fs::write(&program, "a program").unwrap();
    // An upgrade runs the script a second time.
    for _ in 0..2 {
        let mut command = Command::new(script);
        command.arg(&program).arg(directory.join("d")).args(names).stdout(Stdio::null());
        assert!(command.status().unwrap().success());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(directory.join("d")).unwrap() {
        let path = entry.unwrap().path();
        for shim in fs::read_dir(&path).unwrap() {
            found.push(describe(&path, &shim.unwrap().path()));
        }
    }
    fs::remove_dir_all(directory).unwrap();
    found.sort();
    found
}

fn describe(directory: &Path, shim: &Path) -> String {
    let file = fs::read(shim).unwrap();
    assert!(file.starts_with(b"a program"), "{}", shim.display());
    let label = file.get(file.len().saturating_sub(LABEL_LENGTH)..).unwrap();
    let name = String::from_utf8_lossy(runtime_in_label(label).unwrap()).into_owned();
    let last = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    format!("{}/{}: {name}", last(directory), last(shim))
}

#[test]
fn each_name_gets_a_shim() {
    let usual = [
        "bin-apptainer/apptainer: apptainer".to_owned(),
        format!("{LINKED}/apptainer: apptainer"),
        format!("{LINKED}/singularity: apptainer"),
        "bin-singularity/singularity: singularity".to_owned(),
    ];
    let further =
        ["sing", "singularity-ce"].map(|name| format!("{}/{name}: {name}", directory_for(name)));
    let pair = ["apptainer", "singularity"].map(|name| format!("bin/{name}: {name}"));
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all
    };
    assert_eq!(shims(&[]), sorted([&usual[..], &pair].concat()));
    let names = ["apptainer", "singularity", "sing", "singularity-ce"];
    assert_eq!(shims(&names), sorted([&usual[..], &pair, &further].concat()));
    assert_eq!(shims(&["sing"]), further[..1]);
    let odd = "Singularity-ce_4.3@site+1";
    assert_eq!(shims(&["a", odd]), [format!("bin-{odd}/{odd}: {odd}"), "bin-a/a: a".to_owned()]);
}

/// If one of the names is invalid, no shim is installed.
#[test]
fn names_that_are_refused() {
    let directory = std::env::temp_dir().join(format!("shims-{}-refused", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let program = directory.join("program");
    fs::write(&program, "a program").unwrap();
    let long = "a".repeat(65);
    for name in [
        "",
        ".",
        "..",
        "../x",
        "/usr/bin/apptainer",
        "a/b",
        "a b",
        "a,b",
        "a\nb",
        "-n",
        ".hidden",
        "a;reboot",
        "$(reboot)",
        "a*",
        "é",
        "linked",
        &long,
    ] {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/shims"));
        command.arg(&program).arg(directory.join("d")).args(["apptainer", "singularity", name]);
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{name:?}: {stderr}");
        assert!(
            stderr.contains("is not a valid name of a runtime: ") && stderr.lines().count() == 1
        );
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "{name:?}: nothing is written");
    }
    fs::remove_dir_all(directory).unwrap();
}
