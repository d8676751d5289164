//! Tests of the test kit: do the registries misbehave as intended? Here, `apptainer pull` is used
//! directly. Other tests check how the command handles the faults.

mod faults;
mod images;
mod servers;
mod trees;

use crate::kit::{Output, Site};

/// The destination of [`pull`].
const PULLED: &str = "/tmp/pulled.sif";

/// Runs `apptainer pull FLAGS` as root on the login node, without Apptainer's own cache. The file
/// of an earlier pull is removed first.
fn pull(site: &Site, flags: &[&str], image: &str) -> Output {
    pull_for(site, "20", flags, image)
}

/// Like [`pull`], with a time limit in seconds. The exit status is 124 on a timeout.
fn pull_for(site: &Site, seconds: &str, flags: &[&str], image: &str) -> Output {
    let _ = std::fs::remove_file(site.at("ctl", PULLED));
    let image = format!("docker://{image}");
    let command = ["timeout", seconds, "apptainer", "pull", "--disable-cache"];
    site.exec(&[], &[&command, flags, &[PULLED, &image]].concat(), "")
}

/// Runs the image that was pulled last. The output is the image's own name.
fn pulled(site: &Site) -> Output {
    site.alice(&["apptainer", "exec", PULLED, "cat", "/etc/image-name"])
}

/// Pulls and asserts that the result is the image `is`.
#[track_caller]
fn gets(site: &Site, flags: &[&str], image: &str, is: &str) {
    let output = pull(site, flags, image);
    assert_eq!(output.status, 0, "{output:#?}");
    pulled(site).ran(is);
}

/// Pulls and asserts that this fails with `message` on standard error, and leaves no file.
#[track_caller]
fn fails(site: &Site, flags: &[&str], image: &str, message: &str) {
    let output = pull(site, flags, image);
    assert_ne!(output.status, 0, "{output:#?}");
    assert!(output.stderr.contains(message), "{message}: {output:#?}");
    assert!(!site.at("ctl", PULLED).exists());
}
