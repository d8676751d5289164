//! `enroot import`, a further way to convert images. It is measured if a built enroot is given.

use super::sample::Variant;
use crate::testbed;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// enroot is fastest if it compresses nothing in the image. Since enroot 4.0, a slash may
/// separate a registry and an image.
pub(super) const VARIANT: Variant = Variant {
    name: "enroot, uncompressed",
    command: "env 'ENROOT_SQUASH_OPTIONS=-comp lz4 -noI -noD -noF -noX -no-duplicates -exit-on-error' \
        enroot import --output OUT/image docker://IMAGE",
};

/// Debian packages that enroot needs and the login node lacks.
const PACKAGES: &str = "curl jq pigz zstd";

/// Files of enroot's source directory that an import needs, and their places below /usr/local.
const FILES: [(&str, &str, &str); 6] = [
    ("enroot", "bin/enroot", "755"),
    ("bin/enroot-aufs2ovlfs", "bin/enroot-aufs2ovlfs", "755"),
    ("bin/enroot-mksquashovlfs", "bin/enroot-mksquashovlfs", "755"),
    ("src/common.sh", "lib/enroot/common.sh", "644"),
    ("src/docker.sh", "lib/enroot/docker.sh", "644"),
    ("src/runtime.sh", "lib/enroot/runtime.sh", "644"),
];

/// Installs enroot on the login node, and returns its version. `source` is enroot's source
/// directory, built with its default prefix. These commands build what an import needs, without
/// enroot's submodules:
///
/// ```text
/// make -C deps FORCE_GLIBC=1 CC=gcc libbsd
/// make -o deps FORCE_GLIBC=1 enroot bin/enroot-aufs2ovlfs bin/enroot-mksquashovlfs
/// ```
///
/// # Errors
/// A file is missing, or a package cannot be installed.
pub(super) fn install(source: &Path) -> Result<String> {
    for (file, place, mode) in FILES {
        testbed::push(&source.join(file), &format!("/usr/local/{place}"), mode)?;
    }
    packages()?;
    // enroot's first request for a manifest has no Accept header, and docker-registry then returns
    // 404 for OCI images. curl reads this file.
    let accept = "header = \"Accept: application/vnd.oci.image.manifest.v1+json\"";
    let version = testbed::on("ctl", &format!("echo '{accept}' >/root/.curlrc; enroot version"))?;
    Ok(version.trim().to_owned())
}

/// Installs the packages. The login node has no route to Debian's mirror, so apt-get runs outside
/// of its network.
fn packages() -> Result<()> {
    let script = format!(
        "cp /etc/resolv.conf \"$1/etc/resolv.conf\"
        export DEBIAN_FRONTEND=noninteractive
        chroot \"$1\" apt-get -qq update
        chroot \"$1\" apt-get -qq install --no-install-recommends {PACKAGES}
        : >\"$1/etc/resolv.conf\""
    );
    let mut install = Command::new("bash");
    install.args(["-euc", &script, "bash"]).arg(testbed::at("ctl", "/")?);
    testbed::output(&mut install, "").context("the packages that enroot needs").map(drop)
}
