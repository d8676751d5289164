//! The plugin together with other entries in plugstack.conf.

use crate::kit::{IMAGE, Site, plugin_directory, plugins_can_prepend, push, slurm_release};
use std::fs;
use std::process::Command;

#[test]
#[ignore = "needs a testbed: make test"]
fn an_included_line_works_for_jobs_and_the_command() {
    let site = Site::with_line("include plugstack.conf.d/*.conf\n");
    site.store(IMAGE, "o/i:1");
    let directory = site.at("ctl", "/etc/slurm/plugstack.conf.d");
    fs::create_dir_all(&directory).unwrap();
    let line = "# a comment\noptional\tspank_sifcache.so  image_root=/shared/sif # another\n";
    fs::write(directory.join("sifcache.conf"), line).unwrap();
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
    let explain = site.alice(&["sifcache", "explain", "--", "apptainer", "run", "docker://o/i:1"]);
    assert_eq!(explain.status, 0, "{explain:#?}");
    assert!(explain.stdout.contains("hit: "), "{explain:#?}");
    fs::remove_dir_all(directory).unwrap();
}

/// After a plugin that prepends to the command, Slurm executes a different argv array than the one
/// that it passes to plugins. Therefore sifcache has to come before such a plugin.
#[test]
#[ignore = "needs a testbed: make test"]
fn before_a_plugin_that_prepends() {
    // Older releases of Slurm have no such plugins.
    if !plugins_can_prepend() {
        return;
    }
    let site = Site::with_line("");
    site.store(IMAGE, "o/i:1");
    let library = std::env::temp_dir().join(format!("prepend-{}.so", std::process::id()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/prepend.c");
    let (major, minor) = slurm_release();
    let version = format!("-DVERSION={}", u32::from(major) << 16 | u32::from(minor) << 8);
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", &version, "-o"]).arg(&library).arg(source);
    assert!(cc.status().unwrap().success());
    push(&library, &format!("{}/prepend.so", plugin_directory()), "0755");
    fs::remove_file(library).unwrap();
    let [ours, other] =
        ["optional spank_sifcache.so image_root=/shared/sif\n", "optional prepend.so\n"];
    site.plugstack(&[ours, other].concat());
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
    site.plugstack(&[other, ours].concat());
    site.launch(&[], "docker://o/i:1").tried_the_registry();
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_missing_optional_library_fails_no_job() {
    let site = Site::with_line("optional /nowhere/spank_sifcache.so image_root=/shared/sif\n");
    assert_eq!(site.srun(&["echo", "fine"]).stdout, "fine\n");
}
