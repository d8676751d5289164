//! A registry without TLS on the login node, where the commands run.

use super::DIRECTORY;
use crate::testbed;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The address of the registry.
pub(super) const ADDRESS: &str = "127.0.0.1:5000";

/// Starts the registry. It ends with the cluster.
///
/// # Errors
/// The registry does not start.
pub(super) fn start() -> Result<()> {
    let device = format!("/dev/tcp/{}", ADDRESS.replace(':', "/"));
    let script = format!(
        "install -d {DIRECTORY}/registry
        cat >{DIRECTORY}/registry.yml <<'END'
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {DIRECTORY}/registry}}}}
http: {{addr: '{ADDRESS}'}}
END
        setsid docker-registry serve {DIRECTORY}/registry.yml </dev/null >/dev/null 2>&1 &
        for ((tries = 0; tries < 500; tries++)); do
            if (: >{device}) 2>/dev/null; then exit 0; fi
            sleep 0.02
        done
        exit 1"
    );
    testbed::on("ctl", &script).map(drop).context("the registry does not start")
}

/// Copies a layout to the registry, as `fill/NAME:1`.
///
/// # Errors
/// A copy fails.
pub(super) fn push(name: &str, layout: &Path) -> Result<()> {
    let shared = testbed::at("ctl", DIRECTORY)?;
    let copy = shared.join("layout");
    let mut cp = Command::new("cp");
    cp.args(["--recursive", "--dereference"]).arg(layout).arg(&copy);
    testbed::output(&mut cp, "")?;
    let script = format!(
        "skopeo copy --quiet --insecure-policy --dest-tls-verify=false \
            oci:{DIRECTORY}/layout docker://{ADDRESS}/fill/{name}:1"
    );
    let pushed = testbed::on("ctl", &script);
    fs::remove_dir_all(&copy)?;
    pushed.map(drop)
}
