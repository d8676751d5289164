//! A shim with more rights than the creator of its environment, as below a set-user-ID program.
//! Variables of sifcache have no effect on such a shim.

use crate::call::Call;
use crate::kit::{HIT, MISS, Site};

/// A call by a set-user-ID root program that user 1001 started; `None` if the test does not run as
/// root, which it needs for such a call.
fn privileged<'a>(site: &'a Site, command: &[&str]) -> Option<Call<'a>> {
    use std::os::unix::fs::MetadataExt as _;
    if std::fs::metadata(site.path("roots")).unwrap().uid() != 0 {
        eprintln!("skipped: needs root, to have more rights than somebody else");
        return None;
    }
    Some(site.call(command).set_up("real user", "1001"))
}

#[test]
fn settings_and_the_requested_mode_are_ignored() {
    let site = Site::new();
    let Some(hit) = privileged(&site, &HIT) else { return };
    hit.is_bare();
    let fail = format!("{} on_miss=fail", site.settings());
    for command in [HIT, MISS] {
        let Some(call) = privileged(&site, &command) else { return };
        call.clone().variable("SIF_CACHE=require").is_bare();
        call.settings(Some(&fail)).is_bare();
    }
}

#[test]
fn another_runtime_is_ignored() {
    let site = Site::new();
    site.real("evil/apptainer");
    let Some(call) = privileged(&site, &HIT) else { return };
    let evil = format!("SINGULARITY_SIFCACHE_RUNTIME={}", site.text("evil/apptainer"));
    let outcome = call.ours(evil).is_bare();
    assert_eq!(outcome.reported("program"), [site.text("real/apptainer").as_str()]);
}
