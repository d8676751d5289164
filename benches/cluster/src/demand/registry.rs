//! The hub's registry: its images, and what it has served.

use crate::testbed;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The access log of the registry. All hosts can read it.
pub(super) const LOG: &str = "/shared/registry.log";

/// Starts the registry, with its access log in a shared directory.
///
/// # Errors
/// The registry does not start.
pub(super) fn start() -> Result<()> {
    testbed::hub("stop")?;
    testbed::on("hub", &format!("ln -sf {LOG} /var/log/registry.log"))?;
    testbed::hub("start")
}

/// Pushes an OCI layout on this machine, as `docker.io/NAME`.
///
/// # Errors
/// A copy fails.
pub(super) fn push(layout: &Path, name: &str) -> Result<()> {
    let copy = super::shared("/shared/layout")?;
    let mut cp = Command::new("cp");
    cp.args(["--recursive", "--dereference"]).arg(layout).arg(&copy);
    testbed::output(&mut cp, "")?;
    let pushed = testbed::on(
        "ctl",
        &format!(
            "skopeo copy --quiet --insecure-policy oci:/shared/layout docker://docker.io/{name}"
        ),
    );
    fs::remove_dir_all(&copy)?;
    pushed.map(drop)
}

/// Makes small images: `docker.io/scale/i0:1` and so on. Each has a layer and a configuration of its
/// own.
///
/// # Errors
/// A command fails.
pub(super) fn make_small(count: u32) -> Result<()> {
    let layouts = super::shared("/shared/layouts")?;
    let busybox = testbed::at("ctl", "/usr/bin/busybox")?;
    let write =
        "set -e; n=0; while [ $n -lt $4 ]; do $1 $2/$n $3 0 scale/i$n:1; n=$((n + 1)); done";
    let mut shell = Command::new("sh");
    shell.args(["-c", write, "sh"]).arg(testbed::project().join("benches/cluster/layout.sh"));
    shell.arg(&layouts).arg(busybox).arg(count.to_string());
    testbed::output(&mut shell, "")?;
    let copy =
        "skopeo copy --quiet --insecure-policy oci:/shared/layouts/N docker://docker.io/scale/iN:1";
    testbed::on("ctl", &format!("seq 0 {} | xargs -P 2 -I N {copy}", count - 1))?;
    fs::remove_dir_all(layouts).context("the layouts")
}

/// Empties the access log.
///
/// # Errors
/// The file cannot be written.
pub(super) fn forget() -> Result<()> {
    fs::write(super::shared(LOG)?, "").context(LOG)
}

/// What the registry has sent of one repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Served {
    /// How often each blob was sent, by digest.
    pub(super) blobs: BTreeMap<String, usize>,
    /// The number of manifests that were sent, without those of which only the digest was queried.
    pub(super) manifests: usize,
}

impl Served {
    /// The largest number of times that one blob was sent.
    pub(super) fn pulls(&self) -> usize {
        self.blobs.values().copied().max().unwrap_or_default()
    }
}

/// What the registry has sent since [`forget`], by repository.
///
/// # Errors
/// The log cannot be read, or it has no lines about requests.
pub(super) fn served() -> Result<BTreeMap<String, Served>> {
    let text = fs::read_to_string(super::shared(LOG)?)?;
    let all = parse(&text);
    ensure!(!all.is_empty(), "{LOG} has no requests: {text:.500}");
    Ok(all)
}

/// Parses the access log, which has lines in the combined format of web servers:
/// `10.77.0.101 - - [TIME] "GET /v2/o/i/blobs/sha256:HEX HTTP/1.1" 200 1234 "" "AGENT"`.
fn parse(text: &str) -> BTreeMap<String, Served> {
    let mut all = BTreeMap::<String, Served>::new();
    for line in text.lines() {
        let Some((_, request)) = line.split_once("\"GET /v2/") else { continue };
        let mut words = request.split([' ', '"']).filter(|word| !word.is_empty());
        let (Some(path), Some(_), Some("200" | "206")) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if let Some((repository, digest)) = path.split_once("/blobs/") {
            let served = all.entry(repository.to_owned()).or_default();
            *served.blobs.entry(digest.to_owned()).or_default() += 1;
        } else if let Some((repository, _)) = path.split_once("/manifests/") {
            all.entry(repository.to_owned()).or_default().manifests += 1;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn requests_are_counted_by_repository_and_blob() {
        let line = |request: &str, status: u32| {
            format!(
                "10.77.0.101 - - [29/Nov/2026:13:00:00 +0000] \"{request} HTTP/1.1\" {status} 7 \"\" \"x\""
            )
        };
        let lines = [
            line("HEAD /v2/o/i/manifests/1", 200),
            line("GET /v2/o/i/manifests/1", 200),
            line("GET /v2/o/i/blobs/sha256:a", 200),
            line("GET /v2/o/i/blobs/sha256:a", 206),
            line("GET /v2/o/i/blobs/sha256:b", 200),
            line("GET /v2/o/j/blobs/sha256:c", 404),
            line("GET /v2/", 200),
            "time=\"2026\" level=info msg=\"GET\"".to_owned(),
        ];
        let all = parse(&lines.join("\n"));
        assert_eq!(all.keys().collect::<Vec<_>>(), ["o/i"]);
        assert_eq!((all["o/i"].manifests, all["o/i"].pulls()), (1, 2));
        assert_eq!(all["o/i"].blobs["sha256:b"], 1);
    }
}
