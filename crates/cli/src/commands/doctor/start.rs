//! Checks how users start a SIF: set-uid or in a user namespace, mounted by the kernel or with
//! FUSE.
//!
//! Sources: `squashfs.go`, `imagedriver.go` and `prepare_linux.go` of Apptainer,
//! `launcher_linux.go` of SingularityCE.

use super::directives::{is, values};
use super::finding::Finding;
use super::host::Host;
use super::runtimes::Runtime;
use crate::ui::escape::escape_for_terminal;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Runs the checks of this area.
pub(crate) fn check(host: &Host, runtime: &Runtime) -> Vec<Finding> {
    if !is_setuid(host, runtime) {
        return vec![namespaces(host), fuse(host, runtime)];
    }
    let mode = Finding::ok("mode", "users start it set-uid");
    [Some(mode), setuid_mount(host, runtime)].into_iter().flatten().collect()
}

/// Whether the runtime has a set-uid helper and its configuration allows the use of this helper.
fn is_setuid(host: &Host, runtime: &Runtime) -> bool {
    if runtime.is_without_setuid() {
        return false;
    }
    let helper = runtime.own_programs().map(|own| host.path(own.join("starter-suid")));
    let metadata = helper.and_then(|helper| fs::metadata(helper).ok());
    let installed = metadata.is_some_and(|m| m.permissions().mode() & 0o4000 != 0 && m.uid() == 0);
    installed && !is(&configuration(host, runtime), "allow setuid", "no")
}

/// The text of the runtime's configuration.
fn configuration(host: &Host, runtime: &Runtime) -> String {
    runtime.configuration().and_then(|file| host.read(file)).unwrap_or_default()
}

/// Settings that may forbid user namespaces: the file, the value that forbids them, and advice.
const FORBIDDEN: [(&str, &str, &str); 2] = [
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "sysctl user.max_user_namespaces=15000, or install the runtime set-uid",
    ),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "sysctl kernel.unprivileged_userns_clone=1, or install the runtime set-uid",
    ),
];

/// If this file contains 1, AppArmor forbids user namespaces for programs without a profile that
/// allows them.
const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

fn namespaces(host: &Host) -> Finding {
    for (file, value, advice) in FORBIDDEN {
        if host.read(file).is_some_and(|text| text == value) {
            let message =
                format!("users cannot start containers: not set-uid, and {file} is {value}");
            return Finding::fail("mode", message).advice(advice);
        }
    }
    let profiles = ["apptainer", "singularity-ce", "singularity"];
    let profile = || profiles.iter().any(|p| host.path("/etc/apparmor.d").join(p).exists());
    if host.read(APPARMOR).is_some_and(|text| text == "1") && !profile() {
        let message =
            format!("not set-uid, {APPARMOR} is 1, and no profile for it in /etc/apparmor.d");
        return Finding::warn("mode", message).advice(
            "check whether users can start containers; the packages of the runtime install a \
             profile",
        );
    }
    Finding::ok("mode", "users start it with user namespaces, which are allowed")
}

/// Without set-uid, a FUSE program mounts the SIF. If there is none, each start unpacks the SIF.
fn fuse(host: &Host, runtime: &Runtime) -> Finding {
    let unpacked = "each start unpacks the image";
    let device = host.path("/dev/fuse");
    if !fs::metadata(device).is_ok_and(|m| m.permissions().mode() & 0o006 == 0o006) {
        let message = format!("/dev/fuse: missing, or not accessible to users, so {unpacked}");
        return Finding::warn("fuse", message).advice("modprobe fuse; chmod 0666 /dev/fuse");
    }
    match squashfuse(host, runtime) {
        Some(program) => {
            Finding::ok("fuse", format!("SIFs are mounted by {}", escape_for_terminal(&program)))
        }
        None => Finding::warn("fuse", format!("no squashfuse, so {unpacked}"))
            .advice("install squashfuse"),
    }
}

/// With set-uid, the kernel can mount a SIF. Apptainer allows that only for images that meet limits
/// set by the administrator, and refuses all other images if FUSE is not available.
fn setuid_mount(host: &Host, runtime: &Runtime) -> Option<Finding> {
    if !runtime.is_apptainer() || kernel_mounts(host, runtime) {
        return None;
    }
    let because = "with set-uid, Apptainer lets the kernel mount only images that its \
                   configuration limits";
    Some(match squashfuse(host, runtime) {
        _ if !host.path("/dev/fuse").exists() => {
            let message = format!("users cannot start a SIF: {because}, and /dev/fuse is missing");
            Finding::fail("fuse", message).advice("modprobe fuse")
        }
        None => {
            let message =
                format!("users cannot start a SIF: {because}, and there is no squashfuse");
            Finding::fail("fuse", message).advice("install squashfuse")
        }
        Some(program) => {
            Finding::ok("fuse", format!("SIFs are mounted by {}", escape_for_terminal(&program)))
        }
    })
}

/// Whether `allow setuid-mount squashfs` permits mounts by the kernel. Since 1.3, the default
/// permits them only if limits are configured.
fn kernel_mounts(host: &Host, runtime: &Runtime) -> bool {
    let text = configuration(host, runtime);
    let limits = ["owners", "groups", "paths"].map(|of| format!("limit container {of}"));
    let limited = || limits.iter().any(|limit| values(&text, limit).next().is_some());
    match values(&text, "allow setuid-mount squashfs").next() {
        Some("no") => false,
        Some("iflimited") => limited() || runtime.has_execution_control(host),
        None if runtime.version().is_some_and(|version| version >= (1, 3, 0)) => {
            limited() || runtime.has_execution_control(host)
        }
        _ => true,
    }
}

/// The FUSE program for mounting: the runtime's own program, or else one that is installed on the
/// system.
fn squashfuse(host: &Host, runtime: &Runtime) -> Option<PathBuf> {
    ["squashfuse_ll", "squashfuse"].iter().find_map(|name| {
        let own = runtime.own_programs().map(|directory| directory.join(name));
        let usual = ["/usr/local/bin", "/usr/bin"].map(|directory| Path::new(directory).join(name));
        let search = host.find(name);
        own.into_iter().chain(search).chain(usual).find(|path| host.is_program(path))
    })
}
