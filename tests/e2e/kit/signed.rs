//! Images with a signature.

use super::{IMAGE, SHARED, Site, at, testbed};
use std::path::PathBuf;

/// Where the key lies that [`signed_sif`] signs with: `APPTAINER_KEYSDIR` for whoever is to
/// know it.
pub(crate) const KEYS: &str = "/shared/keys";

/// A SIF of [`IMAGE`] in the shared image root under `name`, signed with the key in
/// [`KEYS`], which is made at the first call.
pub(crate) fn signed_sif(site: &Site, name: &str) -> PathBuf {
    let path = site.store(IMAGE, name);
    let run = |words: &[&str]| {
        let keys = format!("APPTAINER_KEYSDIR={KEYS}");
        let output = testbed("exec", &[], &[&["env", &keys, "apptainer"], words].concat(), "");
        assert_eq!(output.status, 0, "{output:#?}");
    };
    if !at("ctl", KEYS).exists() {
        let who = ["--name", "Admin", "--email", "admin@example.org", "--comment", "test"];
        let how = ["--password", "", "--push=false", "--bit-length", "2048"];
        run(&[&["key", "newpair"], &who[..], &how].concat());
    }
    run(&["sign", &format!("{SHARED}/{name}")]);
    path
}
