//! The artefacts under test, and their installation on the hosts.

use super::testbed;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies a file to every host.
pub(crate) fn push(file: &Path, destination: &str, mode: &str) {
    let words = [file.as_os_str(), OsStr::new(destination), OsStr::new(mode)];
    let output = testbed("push", &[], &words, "");
    assert_eq!(output.status, 0, "{output:#?}");
}

/// Slurm's plugin directory, which is the same on every host.
pub(crate) fn plugin_directory() -> String {
    testbed("plugindir", &[], &[] as &[&str], "").stdout.trim_end().to_owned()
}

/// MAJOR and MINOR of the testbed's Slurm.
pub(crate) fn slurm_release() -> (u8, u8) {
    let output = testbed("version", &[], &[] as &[&str], "");
    let (major, minor) = output.stdout.trim_end().split_once('.').unwrap();
    (major.parse().unwrap(), minor.parse().unwrap())
}

/// Whether plugins can prepend to a task's command (Slurm 23.11 and later).
pub(crate) fn plugins_can_prepend() -> bool {
    slurm_release() >= (23, 11)
}

/// The build directory that `make` uses.
pub(crate) fn target() -> PathBuf {
    let directory = std::env::var_os("SIFCACHE_TARGET");
    directory.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}

/// The path of a built artefact.
pub(crate) fn built(file: &str) -> PathBuf {
    let directory = std::env::var_os("SIFCACHE_BUILD").map_or_else(
        || {
            let (major, minor) = slurm_release();
            target().join(format!("testbed/{major}.{minor:02}"))
        },
        PathBuf::from,
    );
    let path = directory.join(file);
    assert!(path.is_file(), "{} is missing: make test builds it", path.display());
    path
}

/// Installs everything on every host, at the paths that `make install` uses. `cluster` is a
/// `--name` option that selects a cluster other than the one of the tests.
pub(crate) fn install(cluster: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let release = built("libspank_sifcache.so").parent().unwrap().display().to_string();
    let words = [
        "--silent".to_owned(),
        "install-files".to_owned(),
        format!("DESTDIR={}", directory.path().display()),
        format!("RELEASE={release}"),
        format!("plugindir={}", plugin_directory()),
    ];
    let mut make = Command::new("make");
    make.args(words).current_dir(env!("CARGO_MANIFEST_DIR"));
    // This `make` must not inherit the variables of the `make` that runs the tests.
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    assert!(make.status().expect("make").success());
    let words = [directory.path().as_os_str(), OsStr::new("/")];
    let output = testbed("push", cluster, &words, "");
    assert_eq!(output.status, 0, "{output:#?}");
}
