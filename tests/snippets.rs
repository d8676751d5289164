//! Tests of the snippets for login shells in `profile.d/`: the shims that they put in front of
//! `PATH`, depending on `runtimes=` and the installed runtimes. Shells that this machine lacks are
//! skipped; the testbed has all of them.
#![allow(clippy::unwrap_used)]

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The command line of each shell and its script. `-e` and `-u` show that the snippets also work in
/// shells with these options.
const SHELLS: [(&[&str], &str); 5] = [
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
    fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("snippets-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        DirBuilder::new().mode(0o755).create(&directory).unwrap();
        for (name, programs) in PLACES {
            programs.iter().for_each(|program| make(&directory.join(name), program));
        }
        for name in ["apptainer", "singularity", "sing"] {
            make(&directory.join(format!("sifcache/bin-{name}")), name);
        }
        make(&directory.join("sifcache/bin-linked"), "apptainer");
        for file in ["sifcache.sh", "sifcache.csh"] {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("profile.d").join(file);
            let text = fs::read_to_string(source).unwrap();
            let text = text.replace("/usr/libexec/", &format!("{}/", directory.display()));
            fs::write(directory.join(file), text).unwrap();
        }
        Self(directory)
    }

    /// `PATH` after the snippet was read; `None` if the shell is not installed.
    fn path(&self, shell: (&[&str], &str), settings: &str, path: &str) -> Option<String> {
        let (program, arguments) = shell.0.split_first().unwrap();
        let program = ["/bin", "/usr/bin"].map(|place| Path::new(place).join(program)).into_iter();
        let mut command = Command::new(program.clone().find(|program| program.exists())?);
        command.args(arguments).arg(shell.1.replace('D', &self.0.display().to_string()));
        command.env_clear().env("PATH", path).env("SINGULARITY_SIFCACHE", settings);
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

#[test]
fn the_shims_that_come_in_front() {
    let place = Place::new();
    let directory = place.0.display().to_string();
    for (settings, before, shims) in CASES {
        let before: Vec<String> = before.iter().map(|name| format!("{directory}/{name}")).collect();
        let before = format!("{}:/usr/bin:/bin", before.join(":"));
        let shims: String =
            shims.iter().map(|name| format!("{directory}/sifcache/{name}:")).collect();
        let mut run = 0;
        for shell in SHELLS {
            let Some(after) = place.path(shell, settings, &before) else { continue };
            assert_eq!(after, format!("{shims}{before}"), "{shell:?} {settings}");
            let again = place.path(shell, settings, &after).unwrap();
            assert_eq!(again, after, "{shell:?} {settings}: read twice");
            run += 1;
        }
        assert!(run >= 3, "sh and bash are installed");
    }
}
