//! File systems on n1 that contain an image root.

use super::{NAME, on_n1};
use crate::kit::{IMAGE, Site, built, push};
use rustix::fs::FlockOperation;
use std::fs::{self, File};

/// Their mount point.
pub(super) const ROOT: &str = "/srv/sif";
/// The directory that faultfs shows at [`ROOT`], and the file that selects its faults.
const SOURCE: &str = "/srv/source";
const CONTROL: &str = "/run/fault";
/// The time in seconds that the server of a FUSE file system has to answer before the kernel aborts
/// the file system. It applies to file systems that are mounted afterwards; 0 means no limit. Since
/// Linux 6.14.
const TIMEOUT: &str = "/proc/sys/fs/fuse/default_request_timeout";

/// A lock file that serializes access to this setting among the tests on other clusters.
const LOCK: &str = "/run/lock/sifcache-fuse-timeout";

/// Sets that timeout for the whole machine until this is dropped. Tests on other clusters that
/// mount such a file system wait until then.
pub(super) struct Timeout {
    before: String,
    _turn: File,
}

impl Timeout {
    /// Returns `None` and prints a note if the kernel has no such setting.
    pub(super) fn of_a_second() -> Option<Self> {
        let timeout = Self::of("1");
        if timeout.is_none() {
            eprintln!("skipped: before Linux 6.14 the kernel waits forever");
        }
        timeout
    }

    /// Makes the kernel wait forever, whatever timeout the machine has set.
    fn never() -> Option<Self> {
        Self::of("0")
    }

    fn of(seconds: &str) -> Option<Self> {
        let before = fs::read_to_string(TIMEOUT).ok()?;
        let turn = File::create(LOCK).unwrap();
        rustix::fs::flock(&turn, FlockOperation::LockExclusive).unwrap();
        fs::write(TIMEOUT, seconds).unwrap();
        Some(Self { before, _turn: turn })
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        // No assertion here: the test may already be panicking.
        let _ = fs::write(TIMEOUT, &self.before);
    }
}

/// A file system that is unmounted when this is dropped.
pub(super) struct Mounted<'a> {
    site: &'a Site,
}

impl<'a> Mounted<'a> {
    /// A file system whose calls can be made to fail (`tests/faultfs`). It contains [`IMAGE`].
    pub(super) fn faulty(site: &'a Site) -> Self {
        // The kernel reads the timeout when the file system is mounted.
        let _timeout = Timeout::never();
        Self::faulty_as_set(site)
    }

    /// Like [`Self::faulty`], with the timeout that the machine has set.
    pub(super) fn faulty_as_set(site: &'a Site) -> Self {
        Self::served(site, "")
    }

    /// The same file system without faults, which writes the name of each request into this file.
    pub(super) fn counting(site: &'a Site, log: &str) -> Self {
        let _timeout = Timeout::never();
        Self::served(site, log)
    }

    fn served(site: &'a Site, log: &str) -> Self {
        push(&built("faultfs"), "/usr/local/bin/faultfs", "755");
        let mounted = Self::new(site);
        site.store_at("n1", SOURCE, IMAGE, NAME);
        mounted.heal();
        on_n1(
            site,
            &format!(
                "setsid timeout 300 faultfs {SOURCE} {ROOT} {CONTROL} {log} </dev/null >/dev/null 2>&1 &
             for n in $(seq 200); do mountpoint -q {ROOT} && exit; sleep 0.02; done; exit 1"
            ),
        );
        mounted
    }

    /// A full tmpfs that contains [`IMAGE`].
    pub(super) fn full(site: &'a Site) -> Self {
        let mounted = Self::new(site);
        on_n1(site, &format!("mount -t tmpfs -o size=8m,mode=755 none {ROOT}"));
        site.store_at("n1", ROOT, IMAGE, NAME);
        on_n1(site, &format!("! dd if=/dev/zero of={ROOT}/rest bs=4k 2>/dev/null"));
        mounted
    }

    fn new(site: &'a Site) -> Self {
        let mounted = Self { site };
        // An earlier test may have been aborted.
        mounted.unmount();
        on_n1(site, &format!("rm -rf {SOURCE} && mkdir -p {SOURCE} {ROOT}"));
        mounted
    }

    /// Sets the current fault, in the form `CALL FAULT`.
    pub(super) fn fault(&self, text: &str) {
        fs::write(self.site.at("n1", CONTROL), text).unwrap();
    }

    /// Removes the fault.
    pub(super) fn heal(&self) {
        let _ = fs::remove_file(self.site.at("n1", CONTROL));
    }

    /// Kills the server; the mount stays.
    pub(super) fn dies(&self) {
        on_n1(self.site, "pkill -KILL -x faultfs; while pgrep -x faultfs; do sleep 0.02; done");
    }

    /// Stops the server, so that it reads no more requests.
    pub(super) fn stops(&self) {
        on_n1(self.site, "pkill -STOP -x faultfs");
    }

    /// Unmounts the file system, even if it is in use.
    pub(super) fn unmount(&self) {
        // mkdir(1) does not accept a directory whose server has died.
        let script = format!(
            "while mountpoint -q {ROOT} || ! mkdir -p {ROOT} 2>/dev/null; do umount -l {ROOT}; done"
        );
        on_n1(self.site, &script);
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        self.heal();
        // No assertion here: the test may already be panicking.
        let end = format!("pkill -KILL -x faultfs; umount --lazy {ROOT}; true");
        self.site.exec(&["--on", "n1"], &["bash", "-c", &end], "");
    }
}
