//! The `sifcache` command as the admin of a cluster uses it: real pulls, real jobs.

mod add;
mod broken;
mod concurrent;
mod crash;
mod fill;
mod import;
mod limits;
mod names;
mod refresh;
mod remove;
mod reports;
mod scrontab;

use crate::kit::{Output, Site};
use serde_json::Value;

/// Runs `sifcache WORDS` as root on the login node.
fn sifcache(site: &Site, words: &[&str]) -> Output {
    site.exec(&[], &[&["sifcache"], words].concat(), "")
}

/// Like [`sifcache`], but asserts success.
#[track_caller]
fn done(site: &Site, words: &[&str]) -> Output {
    let output = sifcache(site, words);
    assert_eq!(output.status, 0, "{words:?}: {output:#?}");
    output
}

/// The JSON objects that the command prints, one per line.
fn objects(output: &Output) -> Vec<Value> {
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs the image in a job of alice. The output is the image's own name.
fn started(site: &Site, image: &str) -> Output {
    site.launch(&[], &format!("docker://{image}"))
}
