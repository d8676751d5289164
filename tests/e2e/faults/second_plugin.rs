//! A second SPANK plugin, controlled by its arguments, and a minimal runtime, so that the task
//! itself needs almost no resources.

use crate::kit::{Output, Site, plugin_directory, push, slurm_release};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The runtime: a static program that prints its arguments.
pub(super) const RUNTIME: &str = "/srv/runtime/apptainer";

/// The same program under a name that is not the name of a runtime.
pub(super) const PROGRAM: &str = "/srv/runtime/program";

/// Installs the plugin and the programs on every host.
pub(super) fn install() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let (major, minor) = slurm_release();
        let version = format!("-DVERSION={}", u32::from(major) << 16 | u32::from(minor) << 8);
        let library = format!("{}/other.so", plugin_directory());
        compile("other_plugin.c", &["-shared", "-fPIC", &version], &library);
        compile("print_arguments.c", &["-static"], RUNTIME);
        compile("print_arguments.c", &["-static"], PROGRAM);
    });
}

/// Compiles a source file in this directory and installs it on all hosts.
fn compile(source: &str, flags: &[&str], destination: &str) {
    let directory = tempfile::tempdir().unwrap();
    let (tree, here) = (directory.path(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let file = tree.join(destination.trim_start_matches('/'));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Wextra", "-Werror"]).args(flags).arg("-o").arg(&file);
    cc.arg(here.join("tests/e2e/faults").join(source));
    assert!(cc.status().unwrap().success());
    push(tree, "/", "0755");
}

/// A plugstack.conf with `other.so` and these arguments, followed by `more`.
pub(super) fn then(arguments: &str, more: &str) -> String {
    format!("required other.so {arguments}\n{more}")
}

/// Runs `srun FLAGS RUNTIME exec docker://o/i:1 true`.
pub(super) fn launch(site: &Site, flags: &[&str]) -> Output {
    let words = [RUNTIME, "exec", &format!("docker://{}", super::NAME), "true"];
    site.srun(&[&["-w", "n1"], flags, &words].concat())
}
