//! An installation of SingularityCE, for the tests that compare sifcache with the runtime.
//!
//! It is not a package of the testbed's Debian releases. `make e2e SINGULARITY=/opt/singularity-ce`
//! names the directory of an installation on this machine, which is copied to the login node.

use super::at;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The path of `singularity` on the login node; `None` without an installation.
pub(crate) fn singularity() -> Option<&'static str> {
    static PROGRAM: OnceLock<Option<String>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let directory =
            std::env::var("SIFCACHE_SINGULARITY").ok().filter(|path| !path.is_empty())?;
        let copy = at("ctl", &directory);
        if !copy.exists() {
            let parent = copy.parent().unwrap();
            std::fs::create_dir_all(parent).unwrap();
            // The set-user-ID bit and the owner belong to the installation.
            let cp = Command::new("cp").arg("-a").args([Path::new(&directory), parent]).status();
            assert!(cp.expect("cp").success());
        }
        Some(format!("{directory}/bin/singularity"))
    });
    program.as_deref()
}
