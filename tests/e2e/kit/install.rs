//! What is under test, and how it comes to the hosts.

use super::testbed;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Puts a file from outside on every host.
pub(crate) fn push(file: &Path, destination: &str, mode: &str) {
    let words = [file.as_os_str(), OsStr::new(destination), OsStr::new(mode)];
    let output = testbed("push", &[], &words, "");
    assert_eq!(output.status, 0, "{output:#?}");
}

/// Slurm's plugin directory on every host.
pub(crate) fn plugin_directory() -> String {
    testbed("plugindir", &[], &[] as &[&str], "").stdout.trim_end().to_owned()
}

/// MAJOR and MINOR of the testbed's Slurm.
pub(crate) fn slurm_release() -> (u8, u8) {
    let output = testbed("version", &[], &[] as &[&str], "");
    let (major, minor) = output.stdout.trim_end().split_once('.').unwrap();
    (major.parse().unwrap(), minor.parse().unwrap())
}

/// Whether plugins can put words before a task's command, since 23.11.
pub(crate) fn plugins_can_prepend() -> bool {
    slurm_release() >= (23, 11)
}

/// Where `make` puts what it builds.
pub(crate) fn target() -> PathBuf {
    let directory = std::env::var_os("SIFCACHE_TARGET");
    directory.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}

/// Where the artefacts under test are.
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

/// Puts everything on every host, where `make install` puts it; `cluster` is `--name` of
/// another cluster than that of the tests.
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
    // Those of the make that runs the tests are not for this one.
    make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    assert!(make.status().expect("make").success());
    let words = [directory.path().as_os_str(), OsStr::new("/")];
    let output = testbed("push", cluster, &words, "");
    assert_eq!(output.status, 0, "{output:#?}");
}
