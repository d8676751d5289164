//! Pulls on file systems that are full, have a quota, or return errors, and the progress on a
//! terminal. File systems are mounted in a mount namespace of the test, as root.

use crate::kit::{Site, programs};
use sif_fixture::Sif;
use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const CACHED: &str = "INFO:    Using cached SIF image\n";
const COPYING: &str =
    "FATAL:   While making image from oci registry: error copying image out of cache: ";
const MIB: usize = 1 << 20;

fn site(size: usize) -> Site {
    let site = Site::new();
    fs::create_dir(site.path("work")).unwrap();
    Sif::image_of(size).write(site.path("roots/o/large:1")).unwrap();
    site
}

/// The command in the environment of a job. `SHIM` stands for the shim.
fn job(site: &Site, program: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).current_dir(site.path("work")).env_clear();
    command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", site.search("shims real")));
    command.env("SINGULARITY_SIFCACHE", site.settings()).stdin(Stdio::null());
    command
}

/// Runs a script in a mount namespace of its own. `None`, with a note, if this user may not do
/// that.
fn mounted(site: &Site, script: &str) -> Option<Output> {
    let script = format!("set -e; {script}");
    let mut command = job(site, "unshare", &["--mount", "--", "sh", "-c", &script]);
    let child = {
        let _lock = programs();
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    // 1 is a failure of unshare(1), and 32 one of mount(8).
    if matches!(output.status.code(), Some(1 | 32)) {
        eprintln!("skipped: the file system cannot be mounted: {stderr}");
        return None;
    }
    Some(output)
}

/// Asserts that the pull failed with this error, and that the directory is empty.
#[track_caller]
fn failed(output: &Output, start: &str, end: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(255), "{stderr}");
    assert!(stderr.starts_with(&format!("{CACHED}{COPYING}{start}")), "{stderr}");
    assert!(stderr.ends_with(&format!(": {end}\n")), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "the directory is empty");
}

/// The shim checks the free space before it writes.
#[test]
fn a_full_file_system() {
    let site = site(4 * MIB);
    let script = "mount -t tmpfs -o size=1m none .; cd .; \
                  status=0; apptainer pull x docker://o/large:1 || status=$?; ls -A; exit $status";
    let Some(output) = mounted(&site, script) else { return };
    failed(&output, "could not copy file: write ./tmp-copy-", "no space left on device");
}

/// The free space does not show a quota.
#[test]
fn a_quota() {
    let site = site(4 * MIB);
    let script = "truncate -s 128M ../disk; mkfs.btrfs -q ../disk >/dev/null || exit 1; \
                  mount -o loop ../disk .; cd .; btrfs quota enable . && btrfs qgroup limit 1M .; \
                  status=0; apptainer pull x docker://o/large:1 || status=$?; ls -A; exit $status";
    let Some(output) = mounted(&site, script) else { return };
    failed(&output, "could not copy file: write ./tmp-copy-", "disk quota exceeded");
}

/// Another process takes the space after the check. The shim is stopped meanwhile; if it ends
/// before, the script tries again.
#[test]
fn a_file_system_that_another_process_fills() {
    let site = site(64 * MIB);
    let script = "mount -t tmpfs -o size=80m none .; cd .; set +e; \
        for round in $(seq 50); do \
            rm -f x; apptainer pull x docker://o/large:1 2>../errors & pid=$!; \
            until [ -s tmp-copy-* ] || [ ! -e /proc/$pid/exe ]; do :; done; \
            kill -STOP $pid 2>/dev/null; \
            until [ ! -e /proc/$pid/exe ] || grep -q ' T ' /proc/$pid/stat; do :; done; \
            size=$(stat -c %s tmp-copy-* 2>/dev/null || echo 67108864); \
            [ $size -lt 60000000 ] && break; \
            kill -CONT $pid 2>/dev/null; wait $pid; \
        done; \
        cat /dev/zero 2>/dev/null >rest; kill -CONT $pid; wait $pid; status=$?; \
        cat ../errors >&2; rm rest; ls -A; exit $status";
    let Some(output) = mounted(&site, script) else { return };
    failed(&output, "could not copy file: write ./tmp-copy-", "no space left on device");
}

/// The file system has free space, but its device returns errors for new blocks: the device is a
/// file with a quota.
#[test]
fn a_device_that_cannot_be_written() {
    let site = site(32 * MIB);
    let script = "truncate -s 128M ../disk; mkfs.btrfs -q ../disk >/dev/null || exit 1; \
                  mkdir ../outer; mount -o loop ../disk ../outer; chattr +C ../outer; \
                  btrfs quota enable ../outer && btrfs qgroup limit 6M ../outer; \
                  truncate -s 64M ../outer/disk; mkfs.ext4 -q -O ^has_journal ../outer/disk; \
                  mount -o loop,sync ../outer/disk .; cd .; rmdir lost+found; status=0; \
                  apptainer pull x docker://o/large:1 || status=$?; ls -A; exit $status";
    let Some(output) = mounted(&site, script) else { return };
    failed(&output, "could not copy file: write ./tmp-copy-", "input/output error");
}

/// The second half of the device is missing.
#[test]
fn an_image_that_cannot_be_read() {
    let site = site(MIB);
    let root = site.text("roots");
    let script = format!(
        "truncate -s 48M disk; mkfs.ext4 -q disk; mount -o loop disk {root}; mkdir {root}/o; \
         cp ../large {root}/o/large:1; umount {root}; \
         mount -o loop,ro disk {root}; truncate -s 24M disk; mkdir w; cd w; \
         status=0; apptainer pull x docker://o/large:1 || status=$?; ls -A; exit $status"
    );
    Sif::image_of(32 * MIB).write(site.path("large")).unwrap();
    let Some(output) = mounted(&site, &script) else { return };
    let image = format!("could not copy file: read {root}/o/large:1");
    failed(&output, &image, "input/output error");
}

/// The shim is stopped for longer than a copy without progress lasts. If it ends before, the test
/// tries again.
#[test]
fn progress_is_shown_on_a_terminal() {
    let site = site(256 * MIB);
    let shown = (0..50).find_map(|_| {
        let output = stopped_on_a_terminal(&site);
        output.contains("MiB").then_some(output)
    });
    let shown = shown.unwrap();
    assert!(shown.contains("MiB / 256MiB ["), "{shown:?}");
    assert!(shown.ends_with("\r\x1b[K"), "the line is removed: {shown:?}");
    // Without a terminal, and with -q, there is none.
    let mut quiet = job(&site, "apptainer", &["pull", "-F", "x", "docker://o/large:1"]);
    assert_eq!(String::from_utf8_lossy(&quiet.output().unwrap().stderr), CACHED);
}

/// The output of a pull on a terminal that is stopped for a while.
fn stopped_on_a_terminal(site: &Site) -> String {
    let pull = "exec apptainer pull -F x docker://o/large:1";
    let mut script = job(site, "script", &["--quiet", "--return", "--command", pull, "/dev/null"]);
    let child = {
        let _lock = programs();
        script.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let is_copying = || {
        let names = fs::read_dir(site.path("work")).unwrap().flatten();
        names.into_iter().any(|name| name.file_name().as_encoded_bytes().starts_with(b"tmp-copy-"))
    };
    while let Ok(pid) = fs::read_to_string(&children) {
        let pid = pid.trim();
        if !pid.is_empty() && is_copying() {
            // script(1) stops itself when its child stops.
            let pids = [pid, &child.id().to_string()];
            let signal = |name: &str, pids: &[&str]| {
                Command::new("/bin/kill").args(["-s", name]).args(pids).output().unwrap()
            };
            signal("STOP", &pids[..1]);
            std::thread::sleep(Duration::from_millis(600));
            signal("CONT", &pids);
            break;
        }
        // The children of a process that has ended are empty.
        let state = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        if state.contains(") Z ") {
            break;
        }
    }
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}
