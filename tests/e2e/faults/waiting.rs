//! An image root that stops answering while a job waits for `sifcache fill`.

use super::mounted::{Mounted, ROOT};
use super::{NAME, launch, meets, of_root_with, on_n1, seen, with_registry};
use crate::kit::{Output, Site};
use std::thread;
use std::time::Duration;

/// A filler that keeps the image in its queue. It writes to the directory that faultfs shows. The log
/// also has images that other tests missed: they are refused, so that nothing is ahead in the queue.
const FILLER: &str = "cat >/root/fill.toml <<'END'\n\
    allow = [\"docker.io/o/i:1\"]\nunidentified = \"count\"\nquiet = [\"00:00-24:00\"]\n\
    END\n\
    setsid timeout 120 sifcache fill --follow --policy /root/fill.toml --log /var/log/syslog \
    --root /srv/source </dev/null >/tmp/fill.log 2>&1 & echo $!";

#[test]
#[ignore = "needs a testbed: make test"]
fn the_file_server_hangs_during_a_wait() {
    let site = Site::new("");
    let mounted = Mounted::faulty(&site);
    on_n1(&site, &format!("rm -rf /srv/source/{NAME}"));
    let filler = on_n1(&site, FILLER);
    on_n1(
        &site,
        "for n in $(seq 500); do [ -e /srv/source/.sifcache/queue/beat ] && exit; sleep 0.02; done; cat /tmp/fill.log; exit 1",
    );
    let line = of_root_with(ROOT, "on_miss=wait:100 lookup_timeout=1");
    let command = |site: &Site| -> Output {
        mounted.heal();
        thread::scope(|scope| {
            let before = seen(site);
            let job = scope.spawn(|| launch(site));
            // The user sees the entry at the first poll.
            while !job.is_finished() {
                if seen(site).difference(&before).any(|line| line.contains(" wait=")) {
                    thread::sleep(Duration::from_secs(3));
                    mounted.fault("all hang");
                    break;
                }
                thread::sleep(Duration::from_millis(50));
            }
            let mut output = job.join().unwrap();
            // The first message comes with one of the first entries.
            output.stderr = (95..100).fold(output.stderr, |text, left| {
                text.replace(&format!("up to {left} s"), "up to 100 s")
            });
            output
        })
    };
    let fault = "every call hangs while the job waits for its image, `on_miss=wait`";
    with_registry(|| meets(&site, fault, &line, command));
    on_n1(&site, &format!("kill {}", filler.trim()));
    mounted.dies();
}
