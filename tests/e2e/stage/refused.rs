//! Requests that are refused immediately.

use super::{on, site, stage};
use crate::kit::SHARED;

#[test]
#[ignore = "needs a testbed: make test"]
fn ordinary_users_cannot_stage() {
    let site = site();
    let output = site.alice(&["sifcache", "stage", "--nodes", "n1", "o/i:1"]);
    assert_eq!(output.status, 77, "{output:#?}");
    let message = "run this as the owner of the image root, root or a system account";
    assert!(output.stderr.contains(message), "{output:#?}");
    // Even if the site accepts files that users have written, these users cannot write to the
    // node's directory.
    site.plugstack(
        "optional spank_sifcache.so image_root=/local/sif:/shared/sif untrusted=accept\n",
    );
    let output = site.alice(&["sifcache", "stage", "--nodes", "n[1-2]", "o/i:1"]);
    assert_eq!(output.status, 77, "{output:#?}");
    let message = "n2: cannot write /local/sif/.sifcache: Permission denied";
    assert!(output.stderr.contains(message), "{output:#?}");
    assert!(on(&site, "n1").is_empty());
}

#[test]
#[ignore = "needs a testbed: make test"]
fn each_refusal_has_advice() {
    let site = site();
    for (words, status, message) in [
        (&["--nodes", "n[1-9]", "o/i:1"] as &[&str], 64, "no partition has a node n4, n5"),
        (&["--partition", "gpu", "o/i:1"], 64, "--partition gpu: there is no such partition"),
        (&["o/i:1"], 64, "--nodes <NODELIST>"),
        (&["--nodes", "n1", "o/none:1"], 69, "it is not in /shared/sif: `sifcache add o/none:1`"),
        (&["--nodes", "n1", "--into", "/srv", "o/i:1"], 64, "not an image root"),
        (&["--nodes", "n1", "--keep", "x", "o/i:1"], 64, "--keep: 'x' is not a valid time"),
        (&["--nodes", "n1", "o/i:1", "--", "--reservation=x"], 69, "Slurm rejects the job: "),
        (&["--nodes", "n1", "Foo"], 64, "'Foo' is not a valid image reference"),
    ] {
        let output = stage(&site, words);
        assert_eq!(output.status, status, "{words:?}: {output:#?}");
        assert!(output.stderr.contains(message), "{words:?}: {output:#?}");
    }
    site.plugstack(&format!("optional spank_sifcache.so image_root={SHARED}\n"));
    let output = stage(&site, &["--nodes", "n1", "o/i:1"]);
    assert_eq!(output.status, 64, "{output:#?}");
    assert!(output.stderr.contains("/shared/sif is the only image root"), "{output:#?}");
    assert!(on(&site, "n1").is_empty());
}
