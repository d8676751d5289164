//! Lack of space, and lack of permission.

use super::{done, sifcache};
use crate::kit::registry::{disk, misbehaving};
use crate::kit::{IMAGE, SHARED, Site, inside, tree, with_hub};
use std::fs;

const LARGE: &str = "determinedai/environments:py-3.8-pytorch-1.10-tf-2.8-cpu-69f397f";

#[test]
#[ignore = "needs a testbed: make test"]
fn a_full_disk() {
    let site = Site::new("");
    let _disk = disk("/srv/small", 1_500);
    site.plugstack("optional spank_sifcache.so image_root=/srv/small\n");
    let root = site.at("ctl", "/srv/small");
    with_hub(|| {
        // The command detects this before the pull: the size of the layers is about 80 MB.
        let output = sifcache(&site, &["add", LARGE]);
        assert_eq!(output.status, 73, "{output:#?}");
        assert!(output.stderr.contains("not enough space: about 7"), "{output:#?}");
        assert!(output.stderr.contains("are needed in /srv/small, and 1.4"), "{output:#?}");
        // There is space for one image of 1.08 MiB, but not for two.
        done(&site, &["import", &inside(IMAGE), "o/i:1"]);
        let output = sifcache(&site, &["import", &inside(IMAGE), "o/i:2"]);
        assert_eq!(output.status, 73, "{output:#?}");
        assert!(output.stderr.contains("not enough space"), "{output:#?}");
        let pipe = format!("cat {} | sifcache import - o/i:2", inside(IMAGE));
        let output = site.exec(&[], &["sh", "-c", &pipe], "");
        assert_eq!(output.status, 73, "{output:#?}");
        assert!(output.stderr.contains("No space left on device"), "{output:#?}");
        assert!(
            output.stderr.contains("`sifcache gc` can make space, with --keep 0d at once"),
            "{output:#?}"
        );
    });
    assert_eq!(tree::check(&root), ["o/i:1"]);
    tree::is_clean(&root);
}

/// The disk becomes full while the runtime writes.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_disk_that_fills_up() {
    let site = Site::new("");
    let _disk = disk("/srv/small", 1_500);
    site.plugstack("optional spank_sifcache.so image_root=/srv/small\n");
    let _registry = misbehaving("slow=1000000");
    let script = "sifcache add alpine:3.20 & \
                  until ls /srv/small/.sifcache/tmp/* >/dev/null 2>&1; do sleep 0.05; done; sleep 0.3; \
                  head -c 1000000 /dev/zero >/srv/small/.ballast; wait $!";
    let output = site.exec(&[], &["sh", "-c", script], "");
    assert_ne!(output.status, 0, "{output:#?}");
    assert!(output.stderr.to_lowercase().contains("no space left"), "{output:#?}");
    let root = site.at("ctl", "/srv/small");
    fs::remove_file(root.join(".ballast")).unwrap();
    assert!(tree::check(&root).is_empty());
    tree::is_clean(&root);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn ordinary_users_may_read_but_not_write() {
    let site = Site::new("");
    done(&site, &["import", &inside(IMAGE), "o/i:1"]);
    let alice = |words: &[&str]| site.alice(&[&["sifcache"], words].concat());
    for words in [
        &["add", "alpine"] as &[&str],
        &["import", &inside(IMAGE), "o/i:2"],
        &["remove", "--yes", "o/i:1"],
        &["gc", "--yes", "--max-size", "0"],
        &["refresh", "o/i:1"],
    ] {
        let output = alice(words);
        assert_eq!(output.status, 77, "{words:?}: {output:#?}");
        assert!(output.stderr.contains("run this as the owner of the image root"), "{output:#?}");
    }
    assert_eq!(alice(&["list"]).status, 0);
    assert_eq!(alice(&["add", "o/i:1", "--dry-run"]).status, 0);
    assert_eq!(tree::check(&site.at("ctl", SHARED)), ["o/i:1"]);
    // An import into her own image root, whose images jobs would not trust.
    let own = "rm -rf ~/sif; mkdir ~/sif; sifcache import --root ~/sif FILE o/i:1";
    let output = site.alice(&["sh", "-c", &own.replace("FILE", &inside(IMAGE))]);
    assert_eq!(output.status, 78, "{output:#?}");
    assert!(output.stderr.contains("belongs to the ordinary user 1001"), "{output:#?}");
    let output = site.alice(&[
        "sh",
        "-c",
        &own.replace("FILE", &format!("--untrusted accept {}", inside(IMAGE))),
    ]);
    assert_eq!(output.status, 0, "{output:#?}");
}
