//! The plugin beside other things in plugstack.conf.

use crate::kit::{IMAGE, Site};
use std::fs;

#[test]
#[ignore = "needs a testbed: make test"]
fn included_and_found_by_the_command_too() {
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

#[test]
#[ignore = "needs a testbed: make test"]
fn a_library_that_is_missing_is_no_reason_to_fail() {
    let site = Site::with_line("optional /nowhere/spank_sifcache.so image_root=/shared/sif\n");
    assert_eq!(site.srun(&["echo", "fine"]).stdout, "fine\n");
}
