//! Argument lists at the limit of the kernel, where the path of the image no longer fits.

use crate::call::Call;
use crate::kit::{HIT, IMAGE, Site};
use std::fs;

/// The exit status of caller.c where the kernel refuses the shim itself.
const REFUSED: Option<i32> = Some(200 + libc::E2BIG);

/// The call with so much in its environment that no 16 bytes more would do. The image is
/// deep in its root, so that its path is longer than the reference by much more.
fn full<'a>(site: &'a Site, on_miss: &str) -> Call<'a> {
    let deep = vec!["deep"; 100].join("/");
    fs::create_dir_all(site.path(&format!("{deep}/o"))).unwrap();
    fs::rename(site.path("roots/o/i:1"), site.path(&format!("{deep}/o/i:1"))).unwrap();
    fs::create_dir_all(site.path("etc")).unwrap();
    fs::write(site.path("etc/slurm.conf"), "").unwrap();
    let line = format!("image_root={} untrusted=accept syslog=off {on_miss}", site.text(&deep));
    fs::write(site.path("etc/plugstack.conf"), format!("optional spank_sifcache.so {line}"))
        .unwrap();
    // Of the site, as those of a job go, and leave room.
    let call = site.call(&HIT).settings(None);
    let call = call.variable(format!("SLURM_CONF={}", site.text("etc/slurm.conf")));
    // A quarter of the stack is for arguments, but 128 KiB at least.
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
fn the_reference_stays_where_a_pull_will_do() {
    let site = Site::new();
    let outcome = full(&site, "").run();
    assert_eq!(outcome.told("argv")[IMAGE], HIT[IMAGE]);
}

#[test]
fn and_nothing_is_pulled_where_it_will_not() {
    let site = Site::new();
    let call = full(&site, "on_miss=fail");
    call.run().ended(66, "into the command: Argument list too long");
}
