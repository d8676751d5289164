//! Tests of the snippets for login shells in `profile.d/`: the shims that they put in front of
//! `PATH` in jobs and on login nodes, depending on `runtimes=` and the installed runtimes. Shells
//! that this machine lacks are skipped; the testbed has all of them.
#![allow(clippy::unwrap_used)]

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The first words of a shell's command line, and its script.
type Shell = (&'static [&'static str], &'static str);

/// The command line of each shell and its script. `-e` and `-u` show that the snippets also work in
/// shells with these options.
const SHELLS: [Shell; 5] = [
    (&["sh", "-eu", "-c"], ". D/sifcache.sh; printenv PATH"),
    (&["bash", "-eu", "-c"], ". D/sifcache.sh; printenv PATH"),
    (&["bash", "--posix", "-c"], ". D/sifcache.sh; printenv PATH"),
    // zsh runs in its own mode, without emulation of sh.
    (&["zsh", "-f", "-eu", "-c"], ". D/sifcache.sh; printenv PATH"),
    (&["tcsh", "-f", "-c"], "source D/sifcache.csh; printenv PATH"),
];

/// Directories of programs, with the names of the programs.
const PLACES: [(&str, &[&str]); 3] = [
    ("both", &["apptainer", "singularity", "sing", "other"]),
    ("apptainer", &["apptainer"]),
    ("sing", &["sing"]),
];

/// Settings, the directories in `PATH`, and the directories of shims that are put in front of them.
const CASES: [(&str, &[&str], &[&str]); 14] = [
    ("image_root=/s", &["both"], &["bin"]),
    ("image_root=/s", &["apptainer", "sing"], &["bin-apptainer"]),
    ("image_root=/s", &["sing", "both"], &["bin"]),
    ("image_root=/s", &["apptainer", "both"], &["bin-apptainer", "bin-singularity"]),
    ("image_root=/s", &["sing"], &[]),
    ("image_root=/s runtimes=sing", &["both"], &["bin-sing"]),
    ("image_root=/s runtimes=sing", &["apptainer"], &[]),
    ("runtimes=apptainer,sing on_miss=warn", &["both"], &["bin-apptainer", "bin-sing"]),
    ("runtimes=sing,singularity,apptainer", &["both"], &["bin", "bin-sing"]),
    // These settings are from a line with a Windows line end.
    ("image_root=/s runtimes=sing\r", &["both"], &["bin-sing"]),
    // No shim of the first name is installed; the second is part of the name of a directory.
    ("image_root=/s runtimes=other,linked", &["both"], &[]),
    // The colon-separated words in the value are neither a setting nor a pattern.
    ("image_root=/x:runtimes=sing:/*", &["both"], &["bin"]),
    ("image_root=/s runtimes=sing nested=preload", &["both"], &[]),
    ("image_root=/s nested=preload\r", &["both"], &[]),
];

/// Runtimes, shims and snippets below one directory.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("snippets-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        DirBuilder::new().mode(0o755).create(&directory).unwrap();
        for (name, programs) in PLACES {
            programs.iter().for_each(|program| make(&directory.join(name), program));
        }
        for name in ["apptainer", "singularity", "sing"] {
            make(&directory.join(format!("sifcache/bin-{name}")), name);
        }
        make(&directory.join("sifcache/bin-linked"), "apptainer");
        make(&directory.join("sifcache"), "sifcache-shim");
        for file in ["sifcache.sh", "sifcache.csh"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("profile.d").join(file);
            let text = fs::read_to_string(source).unwrap();
            let text = text.replace("/usr/libexec/", &format!("{}/", directory.display()));
            let text = text.replace("/etc/sifcache/", &format!("{}/etc/", directory.display()));
            fs::write(directory.join(file), text).unwrap();
        }
        Self(directory)
    }

    /// `PATH` after the snippet was read; `None` if the shell is not installed.
    fn path(&self, shell: Shell, variable: (&str, &str), path: &str) -> Option<String> {
        let (program, arguments) = shell.0.split_first().unwrap();
        let program = ["/bin", "/usr/bin"].map(|place| Path::new(place).join(program)).into_iter();
        let mut command = Command::new(program.clone().find(|program| program.exists())?);
        command.args(arguments).arg(shell.1.replace('D', &self.0.display().to_string()));
        command.env_clear().env("PATH", path).env(variable.0, variable.1);
        let output = command.output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{shell:?}: {output:?}");
        Some(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn make(directory: &Path, program: &str) {
    fs::create_dir_all(directory).unwrap();
    let file = directory.join(program);
    fs::write(&file, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
}

/// Directories of programs as a value of `PATH`, and directories of shims in front of it.
fn paths(place: &Place, programs: &[&str], shims: &[&str]) -> (String, String) {
    let directory = place.0.display();
    let programs: String = programs.iter().map(|name| format!("{directory}/{name}:")).collect();
    let shims: String = shims.iter().map(|name| format!("{directory}/sifcache/{name}:")).collect();
    let before = format!("{programs}/usr/bin:/bin");
    (before.clone(), shims + &before)
}

/// Reads the snippet in each shell, with one variable, and then once more.
fn check(place: &Place, variable: (&str, &str), (before, expected): &(String, String)) {
    let mut run = 0;
    for shell in SHELLS {
        let Some(after) = place.path(shell, variable, before) else { continue };
        assert_eq!(after, *expected, "{shell:?} {variable:?}");
        let again = place.path(shell, variable, &after).unwrap();
        assert_eq!(again, after, "{shell:?} {variable:?}: read twice");
        run += 1;
    }
    assert!(run >= 3, "sh and bash are installed");
}

#[test]
fn the_shims_that_come_in_front() {
    let place = Place::new("job");
    for (settings, programs, shims) in CASES {
        check(&place, ("SINGULARITY_SIFCACHE", settings), &paths(&place, programs, shims));
    }
}

/// On a login node, the snippet adds the shims if the admin has created a file.
#[test]
fn shims_on_login_nodes() {
    let place = Place::new("login");
    let both = |shims| paths(&place, &["both"], shims);
    let no_variable = ("A", "");
    check(&place, no_variable, &both(&[]));
    fs::create_dir(place.0.join("etc")).unwrap();
    fs::write(place.0.join("etc/login-node"), "").unwrap();
    for (programs, shims) in [
        (&["both"] as &[&str], &["bin", "bin-sing"] as &[&str]),
        (&["apptainer"], &["bin-apptainer"]),
        (&["apptainer", "both"], &["bin-apptainer", "bin-singularity", "bin-sing"]),
        (&[], &[]),
    ] {
        check(&place, no_variable, &paths(&place, programs, shims));
    }
    // In a job, `nested=` decides.
    check(&place, ("SLURMD_NODENAME", "n1"), &both(&[]));
    check(&place, ("SINGULARITY_SIFCACHE", "image_root=/s nested=preload"), &both(&[]));
    check(&place, ("SINGULARITY_SIFCACHE", "image_root=/s"), &both(&["bin"]));
    // The package was removed, and its configuration is still there.
    fs::remove_dir_all(place.0.join("sifcache")).unwrap();
    check(&place, no_variable, &both(&[]));
}
