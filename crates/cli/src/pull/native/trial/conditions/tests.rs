//! With a runtime of empty files around a real program.

use super::{Conditions, changes_starts};
use sifcache_squashfs::compression::Compression;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The files of a runtime.
pub(crate) struct Installed(TempDir);

impl Installed {
    pub(crate) fn new() -> Self {
        let installed = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(installed.path("usr/bin")).unwrap();
        fs::copy("/bin/true", installed.runtime()).unwrap();
        for name in ["etc/apptainer/apptainer.conf", "usr/libexec/apptainer/bin/starter"] {
            installed.write(name, "");
        }
        installed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn runtime(&self) -> PathBuf {
        self.path("usr/bin/apptainer")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn find(&self, compression: Compression, directory: &str) -> Option<Conditions> {
        let search = self.path("usr/bin");
        Conditions::with_path(
            &self.runtime(),
            compression,
            Path::new(directory),
            search.as_os_str(),
        )
    }

    pub(crate) fn conditions(&self) -> Option<Conditions> {
        self.find(Compression::ZSTD, "/tmp")
    }
}

/// Whether a change of the files changes the conditions.
fn differs(change: impl Fn(&Installed)) -> bool {
    let installed = Installed::new();
    let before = installed.conditions().unwrap();
    assert_eq!(installed.conditions().unwrap(), before);
    change(&installed);
    installed.conditions().unwrap() != before
}

#[test]
fn every_change_of_a_file_counts() {
    assert!(differs(|installed| fs::remove_file(installed.runtime())
        .and_then(|()| fs::copy("/bin/false", installed.runtime()))
        .map(drop)
        .unwrap()));
    assert!(differs(|installed| installed.write("etc/apptainer/apptainer.conf", "#")));
    assert!(differs(|installed| installed.write("etc/apptainer/ecl.toml", "")));
    assert!(differs(|installed| installed.write("usr/libexec/apptainer/bin/squashfuse_ll", "")));
    assert!(differs(|installed| installed.write("usr/bin/squashfuse", "")));
    let path = "usr/libexec/apptainer/bin/starter";
    assert!(differs(|installed| {
        fs::set_permissions(installed.path(path), Permissions::from_mode(0o4755)).unwrap();
    }));
    // The same size and content, in a new file.
    assert!(differs(|installed| {
        installed.write("new", "");
        fs::rename(installed.path("new"), installed.path(path)).unwrap();
    }));
    assert!(!differs(|installed| installed.write("usr/bin/another", "")));
}

#[test]
fn the_compression_its_level_and_the_directory_count() {
    let installed = Installed::new();
    let zstd = installed.conditions();
    assert_ne!(installed.find(Compression::Zstd(4), "/tmp"), zstd);
    assert_ne!(installed.find(Compression::GZIP, "/tmp"), zstd);
    assert_ne!(installed.find(Compression::ZSTD, "/scratch"), zstd);
}

/// With an unusual runtime, it is not certain which files take part in a start.
#[test]
fn an_unusual_runtime_has_no_conditions() {
    let installed = Installed::new();
    fs::write(installed.runtime(), "#!/bin/sh\n").unwrap();
    assert_eq!(installed.conditions(), None, "a script");
    for name in ["etc/apptainer/apptainer.conf", "usr/libexec/apptainer/bin/starter"] {
        let installed = Installed::new();
        fs::remove_file(installed.path(name)).unwrap();
        assert_eq!(installed.conditions(), None, "without {name}");
    }
}

#[test]
fn variables_of_runtimes_and_of_the_loader_change_starts() {
    let changes = |name: &&str| changes_starts(OsStr::new(name));
    let names = ["APPTAINER_BIND", "SINGULARITY_UNSQUASH", "LD_LIBRARY_PATH", "APPTAINERENV_A"];
    assert!(names.iter().all(changes));
    let names = ["PATH", "HOME", "APPTAINER_TMPDIR", "SINGULARITY_DOCKER_PASSWORD"];
    assert!(!names.iter().any(changes));
}
