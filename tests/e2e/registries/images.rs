//! Images that the kit makes. Its images for several architectures are tested with `sifcache add`.

use crate::kit::signed::{KEYS, signed_sif};
use crate::kit::{IMAGE, SHARED, Site};
use std::fs;

#[test]
#[ignore = "needs a testbed: make test"]
fn a_signature_holds_until_a_byte_changes() {
    let site = Site::new("");
    let path = signed_sif(&site, "o/signed:1");
    site.store(IMAGE, "o/plain:1");
    let verify = |name: &str| {
        let (keys, file) = (format!("APPTAINER_KEYSDIR={KEYS}"), format!("{SHARED}/o/{name}"));
        site.exec(&[], &["env", &keys, "apptainer", "verify", "--local", &file], "")
    };
    let output = verify("signed:1");
    assert_eq!(output.status, 0, "{output:#?}");
    let output = verify("plain:1");
    assert!(output.status != 0 && output.stderr.contains("signature not found"), "{output:#?}");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let output = verify("signed:1");
    assert!(output.status != 0 && output.stderr.contains("integrity"), "{output:#?}");
}
