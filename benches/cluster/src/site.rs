//! Prepares the cluster: installs sifcache, makes images of several sizes, and adds users.

use crate::testbed::{self, INSIDE};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// The shared image root.
pub(crate) const ROOT: &str = "/shared/sif";
/// plugstack.conf with sifcache.
pub(crate) const LINE: &str = "optional spank_sifcache.so image_root=/shared/sif\n";
/// plugstack.conf with an empty plugin.
pub(crate) const EMPTY: &str = "optional empty.so\n";
/// plugstack.conf without a plugin.
pub(crate) const NONE: &str = "# nothing\n";
/// The user ID of the first user that is added.
pub(crate) const FIRST_USER: u32 = 2001;
/// The wrapper script that a site would write by hand, under the name `apptainer`.
pub(crate) const WRAPPER: &str = "/opt/wrapper/apptainer";
/// A program that starts the runtime and does nothing else: `benches/host/launcher.c`.
pub(crate) const LAUNCHER: &str = "/opt/launcher/apptainer";
/// A program that ends at once, under the name `apptainer`.
pub(crate) const NOTHING: &str = "/opt/nothing/apptainer";

/// The reference of the image with this many MB.
pub(crate) fn image(megabytes: u32) -> String {
    format!("bench/env:{megabytes}")
}

/// The path of that image's SIF.
pub(crate) fn sif(megabytes: u32) -> String {
    format!("{ROOT}/{}", image(megabytes))
}

/// Installs the files in `build` and `host`, and the other programs that are measured.
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

/// Makes images of these sizes in MB, in the registry and in the image root.
pub(crate) fn fill(sizes: impl Iterator<Item = u32>) -> Result<()> {
    testbed::hub("start")?;
    for size in sizes {
        push(size)?;
        let (name, sif) = (image(size), sif(size));
        let script = format!(
            "mkdir -p {ROOT}/bench && apptainer --silent pull --force {sif} docker://{name}
            rm -rf /root/.apptainer"
        );
        testbed::on("ctl", &script).with_context(|| name.clone())?;
    }
    Ok(())
}

/// Makes an image of this size in MB, and pushes it to the registry.
pub(crate) fn push(size: u32) -> Result<()> {
    let layouts = testbed::at("ctl", "/shared/layout")?;
    let busybox = testbed::at("ctl", "/usr/bin/busybox")?;
    let name = image(size);
    let mut write = Command::new(testbed::project().join("benches/cluster/layout.sh"));
    write.arg(&layouts).arg(&busybox).arg(size.to_string());
    testbed::output(&mut write, "")?;
    let script = format!(
        "skopeo copy --quiet --insecure-policy oci:/shared/layout docker://docker.io/{name}
        rm -rf /shared/layout"
    );
    testbed::on("ctl", &script).with_context(|| name.clone()).map(drop)
}

/// The size of an image's SIF, in MB.
pub(crate) fn sif_size(megabytes: u32) -> Result<f64> {
    let bytes = testbed::at("ctl", &sif(megabytes))?.metadata()?.len();
    Ok(bytes as f64 / 1e6)
}

/// Adds this many users, `u1` and so on, on every host.
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

/// The size of a file, in KB.
pub(crate) fn kilobytes(file: &Path) -> Result<f64> {
    let bytes = file.metadata().with_context(|| file.display().to_string())?.len();
    Ok(bytes as f64 / 1e3)
}
