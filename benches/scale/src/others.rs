//! Lines of other programs, as nodes of a cluster write them.

use crate::random::Random;
use std::fmt::Write as _;

/// Programs and messages. `%p` is the number of a process, `%j` of a job, `%u` of a user; `%n` is a
/// number below 250, `%m` has six digits, and `%x` is the fingerprint of a key.
const LINES: [&str; 11] = [
    "slurmd[%p]: slurmd: launch task StepId=%j.%n request from UID:%u GID:%u HOST:10.1.%n.%n PORT:%m",
    "slurmstepd[%p]: done with job",
    "slurmstepd[%p]: task/cgroup: _memcg_initialize: step: alloc=%mMB mem.limit=%mMB \
     memsw.limit=unlimited job_swappiness=18446744073709551614",
    "systemd[1]: session-%j.scope: Deactivated successfully.",
    "systemd-logind[812]: New session %j of user u%u.",
    "sshd[%p]: Accepted publickey for u%u from 10.2.0.%n port %m ssh2: ED25519 SHA256:%x",
    "sshd[%p]: pam_unix(sshd:session): session opened for user u%u(uid=%u) by (uid=0)",
    "CRON[%p]: (root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 1 1)",
    "kernel: [%j.%m] LNetError: %p:0:(o2iblnd_cb.c:%n:kiblnd_check_txs_locked()) Timed out tx: \
     active_txs, %n seconds",
    "chronyd[701]: Selected source 10.1.0.%n",
    "prometheus-node-exporter[933]: ts=2026-11-24T03:03:15.%nZ caller=collector.go:169 level=error \
     msg=\"collector failed\" name=infiniband duration_seconds=0.%m",
];

/// An administrator's cron job that names the command.
const CRON: &str =
    "CRON[%p]: (root) CMD (sifcache hits --log /var/log/central/slurm-nodes.log >/dev/null)";

/// Appends a program and a message. One of two thousand names the command.
pub(crate) fn append(line: &mut String, random: &mut Random) {
    let template = if random.below(2000) == 0 { CRON } else { random.one_of(&LINES) };
    let mut parts = template.split('%');
    line.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (letter, rest) = part.split_at_checked(1).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = match letter {
            "p" => write!(line, "{}", random.below(4_000_000)),
            "j" => write!(line, "{}", random.below(3_000_000)),
            "u" => write!(line, "{}", 1000 + random.below(900)),
            "n" => write!(line, "{}", random.below(250)),
            "m" => write!(line, "{}", 100_000 + random.below(900_000)),
            _ => write!(line, "{}", random.hex().get(..43).unwrap_or_default()),
        };
        line.push_str(rest);
    }
}
