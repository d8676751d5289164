//! A node whose syslog daemon is missing, does not read, or cannot write.
//!
//! The plugin sends one line and does not wait: a line may be lost, but a task must not fail.

use super::{NAME, launch, meets, on_n1, with, with_registry};
use crate::kit::{IMAGE, Output, Site};

/// A broken state of n1. `undo` ends it, even if a test fails.
struct Broken<'a> {
    site: &'a Site,
    undo: &'static str,
}

impl<'a> Broken<'a> {
    fn new(site: &'a Site, script: &str, undo: &'static str) -> Self {
        let broken = Self { site, undo };
        on_n1(site, script);
        broken
    }
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        // No assertion here: the test may already be panicking.
        self.site.exec(&["--on", "n1"], &["bash", "-c", self.undo], "");
    }
}

/// Runs the launch in a script and then as a task.
fn task_and_script(site: &Site) -> Output {
    let nested = format!("apptainer exec docker://{NAME} cat /etc/image-name");
    let script = site.srun(&["-w", "n1", "sh", "-c", &format!("{nested}; true")]);
    script.ran(IMAGE);
    launch(site)
}

#[test]
#[ignore = "needs a testbed: make test"]
fn not_there() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    with_registry(|| {
        let _broken = Broken::new(&site, "mv /dev/log /dev/log.away", "mv /dev/log.away /dev/log");
        meets(&site, "no `/dev/log`", &with(), task_and_script);
    });
}

#[test]
#[ignore = "needs a testbed: make test"]
fn dead() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    with_registry(|| {
        let kill = "pkill -KILL -x rsyslogd; while pgrep -x rsyslogd; do sleep 0.02; done; \
            test -S /dev/log";
        let _broken = Broken::new(&site, kill, "rm -f /run/rsyslogd.pid; rsyslogd");
        meets(&site, "the syslog daemon is dead, its socket remains", &with(), task_and_script);
    });
}

/// A stopped daemon reads nothing, so its socket fills up. A sender that waited for space would
/// wait forever.
#[test]
#[ignore = "needs a testbed: make test"]
fn blocking() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    let stop_and_fill = "pkill -STOP -x rsyslogd && python3 -c '
import socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.setblocking(False)
try:
    while True: log.sendto(b\"<14>filler\", \"/dev/log\")
except BlockingIOError: pass'";
    with_registry(|| {
        let _broken = Broken::new(&site, stop_and_fill, "pkill -CONT -x rsyslogd");
        meets(
            &site,
            "the syslog daemon does not read, its queue is full",
            &with(),
            task_and_script,
        );
    });
}

#[test]
#[ignore = "needs a testbed: make test"]
fn disk_full() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    let fill = "mkdir -p /srv/full && mount -t tmpfs -o size=16k none /srv/full && \
        touch /srv/full/syslog && mount --bind /srv/full/syslog /var/log/syslog && \
        pkill -HUP -x rsyslogd && \
        seq 2000 | logger && \
        for n in $(seq 250); do \
            [ \"$(df --output=avail /srv/full | tail -1)\" -eq 0 ] && exit; sleep 0.02; done; exit 1";
    let undo = "umount --lazy /var/log/syslog /srv/full; pkill -HUP -x rsyslogd";
    with_registry(|| {
        let _broken = Broken::new(&site, fill, undo);
        meets(&site, "the disk of the syslog daemon is full", &with(), task_and_script);
    });
}
