//! Programs with more privileges than alice, in an environment that she controls.

use super::{ALICE, REFERENCE, own_root, site};
use crate::kit::{SHARED, Site, program, push};
use std::fs;
use std::path::Path;
use std::process::Command;

const SHIM: &str = "/usr/libexec/sifcache/bin/apptainer";
/// A fake runtime that prints its image argument.
const REAL: &str = "/opt/real/apptainer";

/// Compiles `privileged.c`, copies the program to every host, once set-uid root and once as an
/// ordinary program, and installs the fake runtime.
fn prepare(site: &Site) {
    let directory = tempfile::tempdir().unwrap();
    let built = directory.path().join("privileged");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/attacks/privileged.c");
    let mut cc = Command::new("cc");
    assert!(cc.arg("-o").arg(&built).arg(source).status().unwrap().success());
    push(&built, "/usr/local/bin/privileged", "4755");
    push(&built, "/usr/local/bin/ordinary", "0755");
    let real = directory.path().join("apptainer");
    program(&real, "#!/bin/sh\necho \"$2\"\n");
    site.exec(&["--on", "n1"], &["mkdir", "-p", "/opt/real"], "");
    push(&real, REAL, "0755");
}

/// The output of both programs: whether the interposer is loaded, and the image argument of the
/// runtime.
fn outputs(site: &Site, forge: &str, started: &str) -> [String; 2] {
    ["privileged", "ordinary"].map(|program| {
        let job = format!("{forge} /usr/local/bin/{program} {started} run {REFERENCE}");
        let output = site.srun(&["-w", "n1", "bash", "-c", &job]);
        assert_eq!(output.status, 0, "{output:#?}");
        output.stdout
    })
}

/// The dynamic loader ignores the interposer in a set-uid program, so the command is not changed.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_set_uid_program_has_no_interposer() {
    let site = site("nested=preload");
    prepare(&site);
    let [privileged, ordinary] = outputs(&site, "", REAL);
    assert_eq!(privileged, format!("uid {ALICE} euid 0 interposer 0\n{REFERENCE}\n"));
    // Without the set-uid bit, the interposer is loaded.
    assert_eq!(ordinary, format!("uid {ALICE} euid {ALICE} interposer 1\n{SHARED}/o/i:1\n"));
}

/// The shim, started by its path from a set-uid program, ignores the variables that alice has set
/// for it.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_shim_of_a_set_uid_program_ignores_the_user() {
    let site = site("nested=path");
    prepare(&site);
    let own = own_root(&site);
    program(&site.at("ctl", "/home/alice/evil"), "#!/bin/sh\necho evil\n");
    let settings = format!("SINGULARITY_SIFCACHE='image_root={own} untrusted=accept'");
    let runtime = format!("{settings} SINGULARITY_SIFCACHE_RUNTIME=/home/alice/evil");
    let require = format!("{settings} SLURM_CONF=/home/alice/slurm.conf SIF_CACHE=require");
    let hers = format!("{own}/o/i:1");
    for (forge, without) in [(settings, &*hers), (runtime, "evil"), (require, &*hers)] {
        let [privileged, ordinary] = outputs(&site, &forge, SHIM);
        let first = |euid| format!("uid {ALICE} euid {euid} interposer 0\n");
        assert_eq!(privileged, format!("{}{REFERENCE}\n", first(0)), "{forge}");
        assert_eq!(ordinary, format!("{}{without}\n", first(ALICE)), "{forge}");
    }
}

/// `doctor` starts login shells as the calling user. If sudo or su has left alice's HOME in root's
/// environment, these shells must not read her profile.
#[test]
#[ignore = "needs a testbed: make test"]
fn doctor_ignores_the_users_profile() {
    let site = site("nested=path");
    let mine = site.at("ctl", "/shared/profile-ran");
    let _ = fs::remove_file(&mine);
    for file in
        [".bash_profile", ".bash_login", ".profile", ".bashrc", ".tcshrc", ".login", ".cshrc"]
    {
        fs::write(site.at("ctl", "/home/alice").join(file), "id >>/shared/profile-ran\n").unwrap();
    }
    let variables = ["HOME=/home/alice", "BASH_ENV=/home/alice/.bashrc", "ENV=/home/alice/.bashrc"];
    let doctor = [&["env"], &variables[..], &["sifcache", "doctor"]].concat();
    let output = site.exec(&["--on", "n1"], &doctor, "");
    assert!(output.stdout.contains("a login shell (bash) keeps the shims"), "{output:#?}");
    assert!(!mine.exists(), "{}", fs::read_to_string(mine).unwrap());
    for file in
        [".bash_profile", ".bash_login", ".profile", ".bashrc", ".tcshrc", ".login", ".cshrc"]
    {
        fs::remove_file(site.at("ctl", "/home/alice").join(file)).unwrap();
    }
}
