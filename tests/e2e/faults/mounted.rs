//! File systems of n1 with an image root in them.

use super::{NAME, on_n1};
use crate::kit::{IMAGE, Site, built, push};
use rustix::fs::FlockOperation;
use std::fs::{self, File};

/// Where they are mounted.
pub(super) const ROOT: &str = "/srv/sif";
/// What the one with faults shows.
const SOURCE: &str = "/srv/source";
const CONTROL: &str = "/run/fault";
/// The seconds that the kernel gives the server of a FUSE file system mounted from now on to
/// answer, before it gives the file system up; 0 is for ever. Since Linux 6.14.
const TIMEOUT: &str = "/proc/sys/fs/fuse/default_request_timeout";

/// Where tests of other clusters take turns with that setting.
const LOCK: &str = "/run/lock/sifcache-fuse-timeout";

/// Sets that time for the whole machine while this lives. Tests of other clusters that mount
/// such a file system wait until then.
pub(super) struct Timeout {
    before: String,
    _turn: File,
}

impl Timeout {
    /// None, and a word about it, if the kernel has no such thing.
    pub(super) fn of_a_second() -> Option<Self> {
        let timeout = Self::of("1");
        if timeout.is_none() {
            eprintln!("skipped: before Linux 6.14 the kernel waits for ever");
        }
        timeout
    }

    /// The kernel waits for ever, whatever the machine has set.
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
        // No assertion: a test may be failing already.
        let _ = fs::write(TIMEOUT, &self.before);
    }
}

/// A file system that is unmounted when this is dropped.
pub(super) struct Mounted<'a> {
    site: &'a Site,
}

impl<'a> Mounted<'a> {
    /// One whose calls can be made to fail: `tests/faultfs`. It holds [`IMAGE`].
    pub(super) fn faulty(site: &'a Site) -> Self {
        // The kernel reads it when the file system is mounted.
        let _timeout = Timeout::never();
        Self::faulty_as_set(site)
    }

    /// The same, with the time to answer that the machine has set.
    pub(super) fn faulty_as_set(site: &'a Site) -> Self {
        push(&built("faultfs"), "/usr/local/bin/faultfs", "755");
        let mounted = Self::new(site);
        site.store_at("n1", SOURCE, IMAGE, NAME);
        mounted.heal();
        on_n1(
            site,
            &format!(
                "setsid timeout 300 faultfs {SOURCE} {ROOT} {CONTROL} </dev/null >/dev/null 2>&1 &
             for n in $(seq 200); do mountpoint -q {ROOT} && exit; sleep 0.02; done; exit 1"
            ),
        );
        mounted
    }

    /// A tmpfs that holds [`IMAGE`] and is full.
    pub(super) fn full(site: &'a Site) -> Self {
        let mounted = Self::new(site);
        on_n1(site, &format!("mount -t tmpfs -o size=8m,mode=755 none {ROOT}"));
        site.store_at("n1", ROOT, IMAGE, NAME);
        on_n1(site, &format!("! dd if=/dev/zero of={ROOT}/rest bs=4k 2>/dev/null"));
        mounted
    }

    fn new(site: &'a Site) -> Self {
        let mounted = Self { site };
        // An earlier test may have been cut off.
        mounted.unmount();
        on_n1(site, &format!("rm -rf {SOURCE} && mkdir -p {SOURCE} {ROOT}"));
        mounted
    }

    /// From now on `CALL FAULT`.
    pub(super) fn fault(&self, text: &str) {
        fs::write(self.site.at("n1", CONTROL), text).unwrap();
    }

    /// From now on all is well.
    pub(super) fn heal(&self) {
        let _ = fs::remove_file(self.site.at("n1", CONTROL));
    }

    /// Its server dies; the mount stays.
    pub(super) fn dies(&self) {
        on_n1(self.site, "pkill -KILL -x faultfs; while pgrep -x faultfs; do sleep 0.02; done");
    }

    /// Its server reads nothing more.
    pub(super) fn stops(&self) {
        on_n1(self.site, "pkill -STOP -x faultfs");
    }

    /// It is unmounted, whoever uses it.
    pub(super) fn unmount(&self) {
        // A directory whose server has died is none for mkdir(1).
        let script = format!(
            "while mountpoint -q {ROOT} || ! mkdir -p {ROOT} 2>/dev/null; do umount -l {ROOT}; done"
        );
        on_n1(self.site, &script);
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        self.heal();
        // No assertion: a test may be failing already.
        let end = format!("pkill -KILL -x faultfs; umount --lazy {ROOT}; true");
        self.site.exec(&["--on", "n1"], &["bash", "-c", &end], "");
    }
}
