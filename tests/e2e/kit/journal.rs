//! A real journald in the place of a node's rsyslogd.

use super::testbed;
use std::fs;

/// journald on a node, bounded in time; what was there before comes back when this is
/// dropped.
pub(crate) struct Journal {
    host: &'static str,
    pid: String,
}

/// Neither the machine's kernel log nor its audit messages are a node's.
const SETTINGS: &str = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n";

impl Journal {
    /// Starts it, which needs no systemd.
    pub(crate) fn start(host: &'static str) -> Self {
        let settings = super::at(host, "/etc/systemd/journald.conf.d/test.conf");
        fs::create_dir_all(settings.parent().unwrap()).unwrap();
        fs::write(settings, SETTINGS).unwrap();
        // Not every release of it starts without control groups; it only looks at them.
        let script = "mkdir -p /run/systemd/journal /run/log/journal
            mount -t cgroup2 none /sys/fs/cgroup || exit
            [ -s /etc/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
            mv /dev/log /dev/log.before && ln -s /run/systemd/journal/dev-log /dev/log
            setsid timeout 300 /usr/lib/systemd/systemd-journald >/dev/null 2>&1 </dev/null &
            pid=$!
            for n in $(seq 200); do
                [ -S /run/systemd/journal/dev-log ] && echo $pid && exit
                sleep 0.05
            done
            exit 1";
        let output = testbed("exec", &["--on", host], &["bash", "-c", script], "");
        assert_eq!(output.status, 0, "{output:#?}");
        Self { host, pid: output.stdout.trim().to_owned() }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Until it has ended, the control groups are in use.
        let script = "kill \"$1\"; while kill -0 \"$1\" 2>/dev/null; do sleep 0.02; done
            rm -f /dev/log; mv /dev/log.before /dev/log
            rm -rf /run/log/journal /run/systemd/journal; umount /sys/fs/cgroup";
        let words = ["bash", "-c", script, "end", &self.pid];
        let output = testbed("exec", &["--on", self.host], &words, "");
        if !std::thread::panicking() {
            assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:#?}");
        }
    }
}
