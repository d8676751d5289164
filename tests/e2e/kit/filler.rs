//! A filler that runs as a service without logs, as at a site with `filler=ctl`.

use super::{Output, SHARED, Site, with_hub};
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Runs until `/shared/stop` exists.
const SCRIPT: &str = "rm -f /shared/stop; \
    sifcache fill --follow --policy /home/fill.toml --listen 0.0.0.0 & \
    while [ ! -e /shared/stop ]; do sleep 0.1; done; kill $!; wait; rm /shared/stop";

/// Waits for a condition.
#[track_caller]
pub(crate) fn until(condition: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(120);
    while !condition() {
        assert!(Instant::now() < limit, "the condition is never true");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The policy of the filler.
pub(crate) fn policy(site: &Site) -> PathBuf {
    site.at("ctl", "/home/fill.toml")
}

/// Ends the filler when it is dropped.
struct Stop<'a>(&'a Site);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        fs::write(self.0.at("ctl", "/shared/stop"), "").unwrap();
    }
}

/// Runs `work` while a filler with this policy listens on ctl and the registry is up. Also returns
/// the output of the filler.
pub(crate) fn with_filler<T>(site: &Site, text: &str, work: impl FnOnce() -> T) -> (T, Output) {
    fs::write(policy(site), text).unwrap();
    with_hub(|| {
        thread::scope(|scope| {
            let filler = scope.spawn(|| site.exec(&[], &["bash", "-c", SCRIPT], ""));
            let beat = site.at("ctl", SHARED).join(".sifcache/queue/beat");
            until(|| beat.exists() || filler.is_finished());
            // Also drops after a panic; otherwise the scope would wait for the filler forever.
            let stop = Stop(site);
            let result = work();
            drop(stop);
            (result, filler.join().unwrap())
        })
    })
}
