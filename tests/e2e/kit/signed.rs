//! Signed images.

use super::{IMAGE, SHARED, Site, at, testbed};
use std::path::PathBuf;

/// The directory of the key that [`signed_sif`] signs with. A runtime uses this key if
/// `APPTAINER_KEYSDIR` is set to this path.
pub(crate) const KEYS: &str = "/shared/keys";

/// Copies a SIF of [`IMAGE`] into the shared image root under `name` and signs it with the key in
/// [`KEYS`], which the first call creates. Returns the path outside of the cluster.
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
