//! Logs that real syslog daemons have written, in each of their formats: `tests/captured/README.md`.

use super::{PULLS, Site};
use crate::captured::{NOT_READ, forms};
use std::fs;

/// The hit of each capture is no request, and its miss is one.
#[test]
fn the_files_of_each_daemon_have_requests() {
    let is_file = |daemon: &str| daemon.starts_with("rsyslog") || daemon.starts_with("syslog-ng");
    let mut count = 0;
    for (daemon, form, log) in forms() {
        if !is_file(&daemon) || NOT_READ.contains(&form.as_str()) {
            continue;
        }
        let site = Site::new(PULLS);
        fs::write(site.path("log"), log).unwrap();
        let output = site.fill(&["--once", "--dry-run", "--since=5000w"]);
        assert!(output.stdout.starts_with("would pull  o/i:2"), "{daemon} {form}: {output:?}");
        assert_eq!((output.status, output.stdout.lines().count()), (Some(0), 1), "{output:?}");
        count += 1;
    }
    assert!(count > 40, "{count} formats");
}
