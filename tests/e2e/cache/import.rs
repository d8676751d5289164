//! `sifcache import`.

use super::{done, objects, sifcache, started};
use crate::kit::{IMAGE, OTHER, SHARED, Site, inside, sif, tree};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
#[ignore = "needs a testbed: make test"]
fn a_file_and_a_pipe() {
    let site = Site::new("");
    let digest = format!("sha256:{}", "0f".repeat(32));
    fs::set_permissions(sif(IMAGE), fs::Permissions::from_mode(0o600)).unwrap();
    let output = done(&site, &["import", &inside(IMAGE), "o/i:1", "--digest", &digest, "--json"]);
    fs::set_permissions(sif(IMAGE), fs::Permissions::from_mode(0o644)).unwrap();
    let [object] = objects(&output).try_into().unwrap();
    assert_eq!(object["path"], "/shared/sif/o/i:1");
    assert_eq!(object["size"], fs::metadata(sif(IMAGE)).unwrap().len());
    let pipe = format!(
        "umask 077; cat {} | sifcache import - registry.example.org:5443/o/i",
        inside(OTHER)
    );
    let output = site.exec(&[], &["sh", "-c", &pipe], "");
    assert_eq!(output.status, 0, "{output:#?}");
    started(&site, "o/i:1").ran(IMAGE);
    started(&site, &format!("o/i@{digest}")).ran(IMAGE);
    started(&site, "registry.example.org:5443/o/i").ran(OTHER);
    let root = site.at("ctl", SHARED);
    assert_eq!(tree::check(&root).len(), 3);
    assert_eq!(tree::sha256(&root.join("o/i:1")), tree::sha256(&sif(IMAGE)));
    tree::is_clean(&root);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_existing_image_is_replaced_only_with_force() {
    let site = Site::new("");
    done(&site, &["import", &inside(IMAGE), "o/i:1"]);
    let output = sifcache(&site, &["import", &inside(OTHER), "o/i:1"]);
    assert_eq!(output.status, 73, "{output:#?}");
    assert!(output.stderr.contains("/shared/sif/o/i:1 already exists; --force"), "{output:#?}");
    started(&site, "o/i:1").ran(IMAGE);
    let output = done(&site, &["import", "--force", &inside(OTHER), "o/i:1", "--json"]);
    started(&site, "o/i:1").ran(OTHER);
    let [object] = objects(&output).try_into().unwrap();
    let kept = site.at("ctl", object["kept"].as_str().unwrap());
    assert_eq!(tree::sha256(&kept), tree::sha256(&sif(IMAGE)));
    // A partial copy is not a valid image, so replacing it needs no --force. The partial copy is
    // still kept.
    site.write("o/i:2", &fs::read(sif(IMAGE)).unwrap()[..5000]);
    done(&site, &["import", &inside(OTHER), "o/i:2"]);
    started(&site, "o/i:2").ran(OTHER);
    tree::check(&site.at("ctl", SHARED));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_invalid_image_changes_nothing() {
    let site = Site::new("");
    for (words, status, message) in [
        (
            "sifcache import /etc/passwd o/i:1",
            65,
            "/etc/passwd is not a valid image: not a SIF file",
        ),
        ("sifcache import /nowhere o/i:1", 74, "cannot read /nowhere: No such file"),
        (
            "cat /etc/passwd | sifcache import - o/i:1",
            65,
            "this is not a valid image: not a SIF file",
        ),
        ("head -c 500000 FILE | sifcache import - o/i:1", 65, "cut short or still being copied"),
        ("sifcache import FILE O/I:1", 64, "'O/I:1' is not a valid image reference"),
        ("sifcache import FILE o/i:1 --digest sha256:12", 64, "is not a valid image reference"),
        ("sifcache import FILE o/i:1 --into /tmp", 64, "not an image root"),
        ("sifcache import", 64, "required"),
    ] {
        let command = words.replace("FILE", &inside(IMAGE));
        let output = site.exec(&[], &["sh", "-c", &command], "");
        assert_eq!(output.status, status, "{words}: {output:#?}");
        assert!(output.stderr.contains(message), "{words}: {output:#?}");
    }
    let root = site.at("ctl", SHARED);
    assert!(tree::check(&root).is_empty());
    tree::is_clean(&root);
}

/// The images remain usable if the hidden directory with the metadata is lost.
#[test]
#[ignore = "needs a testbed: make test"]
fn without_the_hidden_directory() {
    let site = Site::new("");
    let digest = format!("sha256:{}", "0f".repeat(32));
    done(&site, &["import", &inside(IMAGE), "o/i:1", "--digest", &digest]);
    fs::remove_dir_all(site.at("ctl", SHARED).join(".sifcache")).unwrap();
    started(&site, "o/i:1").ran(IMAGE);
    started(&site, &format!("o/i@{digest}")).ran(IMAGE);
    done(&site, &["verify"]);
    let [object] = objects(&done(&site, &["list", "--json"])).try_into().unwrap();
    // The file names still contain the digest.
    assert_eq!(object["images"][0]["digests"][0], digest.as_str());
    assert_eq!(object["images"][0]["source"], serde_json::Value::Null);
    done(&site, &["remove", "--yes", "o/i:1"]);
    started(&site, "o/i:1").tried_the_registry();
}
