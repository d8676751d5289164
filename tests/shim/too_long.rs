//! Commands at the kernel's limit, for which the path of the image is too long.

use crate::call::Call;
use crate::kit::{HIT, IMAGE, Site};
use std::fs;

/// The exit status of caller.c if the kernel refuses to execute the shim itself.
const REFUSED: Option<i32> = Some(200 + libc::E2BIG);

/// A call whose environment is so large that 16 more bytes would exceed the limit. The image is
/// deep inside its root, so that its path is much longer than the reference.
fn full<'a>(site: &'a Site, on_miss: &str) -> Call<'a> {
    let deep = vec!["deep"; 100].join("/");
    fs::create_dir_all(site.path(&format!("{deep}/o"))).unwrap();
    fs::rename(site.path("roots/o/i:1"), site.path(&format!("{deep}/o/i:1"))).unwrap();
    fs::create_dir_all(site.path("etc")).unwrap();
    fs::write(site.path("etc/slurm.conf"), "").unwrap();
    let line = format!("image_root={} untrusted=accept syslog=off {on_miss}", site.text(&deep));
    fs::write(site.path("etc/plugstack.conf"), format!("optional spank_sifcache.so {line}"))
        .unwrap();
    // The settings come from plugstack.conf: the shim would remove those in the environment, which
    // frees space.
    let call = site.call(&HIT).settings(None);
    let call = call.variable(format!("SLURM_CONF={}", site.text("etc/slurm.conf")));
    // A quarter of the stack limit is available for argv plus environment, but at least 128 KiB.
    let call = call.set_up("limit", &format!("{} {}", u64::from(libc::RLIMIT_STACK), 512 << 10));
    let with = |size: usize| {
        let sizes = [size / 2, size - size / 2];
        sizes
            .iter()
            .fold(call.clone(), |call, size| call.variable(format!("X={}", "x".repeat(*size))))
    };
    let (mut fits, mut refused) = (0_usize, 256 << 10);
    while fits + 16 < refused {
        let middle = fits.midpoint(refused);
        let size = if with(middle).run().status == REFUSED { &mut refused } else { &mut fits };
        *size = middle;
    }
    with(fits)
}

#[test]
fn the_reference_is_kept_if_a_pull_is_allowed() {
    let site = Site::new();
    let outcome = full(&site, "").run();
    assert_eq!(outcome.reported("argv")[IMAGE], HIT[IMAGE]);
}

#[test]
fn the_launch_ends_if_a_pull_is_forbidden() {
    let site = Site::new();
    let call = full(&site, "on_miss=fail");
    call.run().ended(66, "into the command line: Argument list too long");
}
