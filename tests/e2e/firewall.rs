//! The panic firewall in a real Slurm, with a build that panics on request.

use crate::kit::{IMAGE, LINKED, Site, built, plugin_directory, push};
use crate::returns;

#[test]
#[ignore = "needs a testbed: make test"]
fn a_panic_in_each_entry_point_leaves_the_task_unchanged() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    site.link_root();
    let directory = plugin_directory();
    push(&built("fault/libspank_sifcache.so"), &format!("{directory}/sifcache_fault.so"), "0755");
    for kind in ["optional", "required"] {
        for point in ["init", "option", "task_init", "probe"] {
            site.plugstack(&format!(
                "{kind} sifcache_fault.so image_root={LINKED} panic={point}\n"
            ));
            // init registers the option after the point where the panic is injected.
            let option: &[&str] = if point == "init" { &[] } else { &["--sif-cache=auto"] };
            let output = site.srun(&[option, &["echo", "unchanged"]].concat());
            assert_eq!((output.status, output.stdout.as_str()), (0, "unchanged\n"), "{output:#?}");
            // Rust's own panic message contains this text.
            assert!(!output.stderr.contains("RUST_BACKTRACE"), "{output:#?}");
            let launch = site.launch(option, "docker://o/i:1");
            if ["task_init", "probe"].contains(&point) {
                launch.tried_the_registry();
            } else {
                launch.ran(IMAGE);
            }
            site.logged("n1", "internal error, continuing without the cache: sifcache");
            site.logged("n1", &format!("injected at {point}"));
        }
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_panic_while_a_task_waits_leaves_it_unchanged() {
    let site = Site::new("");
    let directory = plugin_directory();
    push(&built("fault/libspank_sifcache.so"), &format!("{directory}/sifcache_fault.so"), "0755");
    site.plugstack("optional sifcache_fault.so image_root=/shared/sif panic=wait\n");
    let launch = site.launch(&["--sif-cache=wait"], "docker://o/i:1");
    launch.tried_the_registry();
    site.logged("n1", "injected at wait");
}

/// Calls the entry points without Slurm, in the release build that Slurm loads. `tests/host` does
/// the same for cargo's own build.
#[test]
#[ignore = "needs the built library: make test"]
fn every_entry_point_returns_0() {
    returns::every_hook_is_listed(&built("libspank_sifcache.so"));
    returns::every_entry_point(&built("fault/libspank_sifcache.so"), true);
}
