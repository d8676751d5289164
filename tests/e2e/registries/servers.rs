//! Registries besides the hub, tags that move, and small disks.

use super::{fails, gets, pull};
use crate::kit::registry::{self, ALICE, PRIVATE};
use crate::kit::{IMAGE, OTHER, Site, with_hub};

#[test]
#[ignore = "needs a testbed: make test"]
fn the_private_registry_requires_authentication() {
    let site = Site::new("");
    let _ = std::fs::remove_dir_all(site.at("ctl", "/root/.docker"));
    let server = registry::private();
    let image = format!("{PRIVATE}/library/alpine:3.20");
    fails(&site, &[], &image, "authentication required");
    let pull_as = |user: &str, password: &str| {
        let user = format!("APPTAINER_DOCKER_USERNAME={user}");
        let password = format!("APPTAINER_DOCKER_PASSWORD={password}");
        let image = format!("docker://{image}");
        let command = ["apptainer", "pull", "--disable-cache", "--force", super::PULLED, &image];
        site.exec(&[], &[&["env", &user, &password], &command[..]].concat(), "").status
    };
    assert_ne!(pull_as(ALICE.0, "open barley"), 0);
    assert_eq!(pull_as(ALICE.0, ALICE.1), 0);
    super::pulled(&site).ran("library/alpine:3.20");
    // The hub itself is down.
    fails(&site, &[], "alpine:3.20", "connection refused");
    drop(server);
    assert_ne!(pull_as(ALICE.0, ALICE.1), 0);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_plain_registry_has_no_tls() {
    let site = Site::new("");
    let _server = registry::plain_http();
    let image = "hub:5000/library/alpine:3.20";
    fails(&site, &[], image, "HTTP response to HTTPS client");
    gets(&site, &["--no-https"], image, "library/alpine:3.20");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_tag_moves() {
    let site = Site::new("");
    with_hub(|| {
        let tag = "library/moves:1";
        registry::move_tag(IMAGE, tag);
        assert_eq!(registry::digest(tag), registry::digest(IMAGE));
        gets(&site, &[], tag, IMAGE);
        registry::move_tag(OTHER, tag);
        assert_eq!(registry::digest(tag), registry::digest(OTHER));
        gets(&site, &[], tag, OTHER);
        assert_ne!(registry::digest(IMAGE), registry::digest(OTHER));
    });
    assert_ne!(pull(&site, &[], IMAGE).status, 0);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_disk_is_small_and_is_unmounted() {
    let site = Site::new("");
    let fill = |bytes: &str| {
        let script = format!("head -c {bytes} /dev/zero >/srv/tiny/file");
        site.exec(&[], &["sh", "-c", &script], "")
    };
    let disk = registry::disk("/srv/tiny", 1_000);
    assert_eq!(fill("900K").status, 0);
    let output = fill("1100K");
    assert!(output.stderr.contains("No space left on device"), "{output:#?}");
    drop(disk);
    let output = site.exec(&[], &["mountpoint", "/srv/tiny"], "");
    assert_ne!(output.status, 0, "{output:#?}");
}
