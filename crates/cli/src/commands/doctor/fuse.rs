//! Checks image roots on FUSE file systems: whether the kernel aborts the connection to a server
//! that hangs.
//!
//! A helper process cannot be killed while it waits for an answer to a request that the server has
//! already read, so if Slurm tracks processes with control groups, it cannot end the step. From
//! Linux 6.14 on, the kernel can abort the connection to such a server (`fs/fuse/req_timeout.c`; it
//! checks every 15 seconds). docs/evidence/faults.md lists what was tested.

use super::finding::Finding;
use super::host::Host;

/// Files with timeouts in seconds, where 0 means none: the default for servers that do not request
/// a timeout, and the maximum.
const TIMEOUTS: [&str; 2] =
    ["/proc/sys/fs/fuse/default_request_timeout", "/proc/sys/fs/fuse/max_request_timeout"];

/// Checks the root `name`, which is on a file system of type `kind`.
pub(super) fn check(host: &Host, name: &str, kind: &str) -> Option<Finding> {
    if !kind.starts_with("fuse") || kind == "fusectl" {
        return None;
    }
    let timeouts = TIMEOUTS.map(|path| host.read(path)?.parse::<u32>().ok());
    let seconds = timeouts.into_iter().flatten().filter(|seconds| *seconds > 0).min();
    if let Some(seconds) = seconds {
        let message = format!(
            "{name}: {kind}; the kernel aborts the connection after {seconds} s without an answer"
        );
        return Some(Finding::ok("hanging", message));
    }
    let message = format!(
        "{name}: {kind}: if its server hangs, waiting processes cannot be killed, and with \
         proctrack/cgroup Slurm drains the node at the end of the job"
    );
    let finding = Finding::note("hanging", message);
    let watch = "watch it with HealthCheckProgram: examples/fuse-health-check";
    Some(if timeouts == [None; 2] {
        finding.advice(format!(
            "{watch}; Linux 6.14 and newer can abort the connection to a hanging server"
        ))
    } else {
        finding.advice(format!(
            "{watch}; or set the sysctl fs.fuse.default_request_timeout to more seconds than a \
             failover can take, and mount it again"
        ))
    })
}
