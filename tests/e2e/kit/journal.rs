//! A real journald instead of a node's rsyslogd.

use super::testbed;
use std::fs;

/// A journald on a node, with a limited run time. Dropping it restores the previous syslog daemon.
pub(crate) struct Journal {
    host: &'static str,
    pid: String,
}

/// Excludes the machine's kernel log and audit messages, which do not belong to a node.
const SETTINGS: &str = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n";

impl Journal {
    /// Starts journald, without systemd.
    pub(crate) fn start(host: &'static str) -> Self {
        let settings = super::at(host, "/etc/systemd/journald.conf.d/test.conf");
        fs::create_dir_all(settings.parent().unwrap()).unwrap();
        fs::write(settings, SETTINGS).unwrap();
        // Some releases do not start without a control group hierarchy; journald only reads it.
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
        // The control group hierarchy is busy until journald has ended.
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
