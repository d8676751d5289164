//! The test kit's own tests: do the registries misbehave as they are meant to? Shown with
//! plain `apptainer pull`, so that what the command makes of it is another question.

mod faults;
mod images;
mod servers;
mod trees;

use crate::kit::{Output, Site};

/// Where [`pull`] pulls to.
const PULLED: &str = "/tmp/pulled.sif";

/// `apptainer pull FLAGS` as root on the login node, without what it has in its cache; what
/// it has made before is gone.
fn pull(site: &Site, flags: &[&str], image: &str) -> Output {
    pull_for(site, "20", flags, image)
}

/// The same for so many seconds at most: the status is 124 if that is not enough.
fn pull_for(site: &Site, seconds: &str, flags: &[&str], image: &str) -> Output {
    let _ = std::fs::remove_file(site.at("ctl", PULLED));
    let image = format!("docker://{image}");
    let command = ["timeout", seconds, "apptainer", "pull", "--disable-cache"];
    site.exec(&[], &[&command, flags, &[PULLED, &image]].concat(), "")
}

/// What the image that was pulled last is called inside.
fn pulled(site: &Site) -> Output {
    site.alice(&["apptainer", "exec", PULLED, "cat", "/etc/image-name"])
}

/// Pulls, and expects to get `is`.
#[track_caller]
fn gets(site: &Site, flags: &[&str], image: &str, is: &str) {
    let output = pull(site, flags, image);
    assert_eq!(output.status, 0, "{output:#?}");
    pulled(site).ran(is);
}

/// Pulls, and expects that this fails, says so, and leaves no file.
#[track_caller]
fn fails(site: &Site, flags: &[&str], image: &str, said: &str) {
    let output = pull(site, flags, image);
    assert_ne!(output.status, 0, "{output:#?}");
    assert!(output.stderr.contains(said), "{said}: {output:#?}");
    assert!(!site.at("ctl", PULLED).exists());
}
