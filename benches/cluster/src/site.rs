//! Makes the cluster ready: sifcache, images of several sizes, users.

use crate::testbed::{self, INSIDE};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// The shared image root.
pub(crate) const ROOT: &str = "/shared/sif";
/// The line of plugstack.conf.
pub(crate) const LINE: &str = "optional spank_sifcache.so image_root=/shared/sif\n";
/// That of a plugin that does nothing.
pub(crate) const EMPTY: &str = "optional empty.so\n";
/// No plugin.
pub(crate) const NONE: &str = "# nothing\n";
/// Number of the first of the users that are made.
pub(crate) const FIRST_USER: u32 = 2001;
/// The script that a site would write by hand, found as `apptainer`.
pub(crate) const WRAPPER: &str = "/opt/wrapper/apptainer";
/// A program that starts the runtime and does nothing else: `benches/host/launcher.c`.
pub(crate) const LAUNCHER: &str = "/opt/launcher/apptainer";
/// A program that ends at once, found as `apptainer`.
pub(crate) const NOTHING: &str = "/opt/nothing/apptainer";

/// The reference of the image with this many MB.
pub(crate) fn image(megabytes: u32) -> String {
    format!("bench/env:{megabytes}")
}

/// The path of its SIF.
pub(crate) fn sif(megabytes: u32) -> String {
    format!("{ROOT}/{}", image(megabytes))
}

/// Installs what `build` and `host` hold, and what else is measured.
pub(crate) fn install(build: &Path, host: &Path) -> Result<()> {
    let plugins = testbed::plugin_directory()?;
    let tree = build.join("tree");
    let mut make = Command::new("make");
    make.current_dir(testbed::project()).args([
        "--no-print-directory",
        "--silent",
        "install-files",
    ]);
    for (name, value) in [("DESTDIR", &tree), ("RELEASE", &build.to_owned())] {
        make.arg(format!("{name}={}", value.display()));
    }
    make.arg(format!("plugindir={plugins}"));
    testbed::output(&mut make, "")?;
    testbed::push(&tree, "/", "")?;
    testbed::push(&host.join("empty.so"), &format!("{plugins}/empty.so"), "644")?;
    testbed::push(&host.join("host"), "/usr/local/libexec/host", "755")?;
    testbed::push(&host.join("launcher"), LAUNCHER, "755")?;
    testbed::push(&std::env::current_exe()?, INSIDE, "755")?;
    let wrapper = testbed::project().join("benches/cluster/wrapper.sh");
    testbed::push(&wrapper, WRAPPER, "755")?;
    for host in ["ctl", "n1", "n2"] {
        testbed::on(host, &format!("install -D /usr/bin/true {NOTHING}"))?;
    }
    Ok(())
}

/// Makes images of these sizes, on the hub and in the image root.
pub(crate) fn fill(sizes: impl Iterator<Item = u32>) -> Result<()> {
    let layouts = testbed::at("ctl", "/shared/layout")?;
    let busybox = testbed::at("ctl", "/usr/bin/busybox")?;
    testbed::hub("start")?;
    for size in sizes {
        let (name, sif) = (image(size), sif(size));
        let mut write = Command::new(testbed::project().join("benches/cluster/layout.sh"));
        write.arg(&layouts).arg(&busybox).arg(size.to_string());
        testbed::output(&mut write, "")?;
        let script = format!(
            "skopeo copy --quiet --insecure-policy oci:/shared/layout docker://docker.io/{name}
            mkdir -p {ROOT}/bench && apptainer --silent pull --force {sif} docker://{name}
            rm -rf /root/.apptainer /shared/layout"
        );
        testbed::on("ctl", &script).with_context(|| name.clone())?;
    }
    Ok(())
}

/// MB of the SIF of an image.
pub(crate) fn sif_size(megabytes: u32) -> Result<f64> {
    let bytes = testbed::at("ctl", &sif(megabytes))?.metadata()?.len();
    Ok(bytes as f64 / 1e6)
}

/// Makes this many users, `u1` and so on, on every host.
pub(crate) fn users(count: u32) -> Result<()> {
    let last = FIRST_USER + count - 1;
    let script = format!(
        "grep -q ^u1: /etc/passwd || for id in $(seq {FIRST_USER} {last}); do
            name=u$((id - {FIRST_USER} + 1))
            echo \"$name:x:$id:$id::/home/$name:/bin/bash\" >>/etc/passwd
            echo \"$name:x:$id:\" >>/etc/group
            install -d -o $id -g $id -m 700 /home/$name
        done"
    );
    ["ctl", "n1", "n2"].iter().try_for_each(|host| testbed::on(host, &script).map(drop))
}

/// How large a file is, in KB.
pub(crate) fn kilobytes(file: &Path) -> Result<f64> {
    let bytes = file.metadata().with_context(|| file.display().to_string())?.len();
    Ok(bytes as f64 / 1e3)
}
