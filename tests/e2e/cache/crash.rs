//! Commands that are killed by SIGKILL at any point.

use super::{done, sifcache, started};
use crate::kit::registry::{self, move_tag};
use crate::kit::{IMAGE, OTHER, SCRATCH, SHARED, Site, hub, inside, thorough, tree};
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A random number generator. It prints its seed, so that a failed run can be repeated with
/// `SIFCACHE_SEED`.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let seed = std::env::var("SIFCACHE_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let seed = seed.unwrap_or_else(|| u64::try_from(now() % 1_000_000_007).unwrap());
        println!("SIFCACHE_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Starts the command, kills it after `milliseconds`, and returns whether it had already ended.
fn killed(site: &Site, words: &str, milliseconds: u64) -> bool {
    let script = format!(
        "sifcache {words} >/dev/null 2>&1 & sleep {}.{:03}; kill -9 $! 2>/dev/null; wait $!; \
         [ $? -ne 137 ]",
        milliseconds / 1_000,
        milliseconds % 1_000
    );
    site.exec(&[], &["bash", "-c", &script], "").status == 0
}

/// Starts and kills the command `times` times, each time after at most `most` milliseconds, and
/// checks the whole tree after each kill. `before` prepares each round. At the end, a further
/// command cleans up what was left.
///
/// Returns the number of rounds that were run, because `make test` runs only two fifths of `times`.
fn again_and_again(
    site: &Site,
    times: u32,
    most: u64,
    words: &str,
    before: &mut dyn FnMut(u32),
) -> usize {
    let times = if thorough() { times } else { times * 2 / 5 };
    let mut chance = Chance::new();
    let root = site.at("ctl", SHARED);
    let mut ended = 0;
    for number in 0..times {
        before(number);
        ended += u32::from(killed(site, words, chance.below(most)));
        tree::check(&root);
    }
    println!("{words}: {ended} of {times} had ended before");
    assert!(ended < times, "no command was killed");
    // If the command was killed, its runtime holds the lock until the runtime itself ends.
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        done(site, &["gc"]);
        let left = tree::files(&root.join(".sifcache/tmp"));
        if left.is_empty() || Instant::now() > limit {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    tree::is_clean(&root);
    times as usize
}

#[test]
#[ignore = "needs a testbed: make test"]
fn add() {
    let site = Site::new("");
    hub("start");
    again_and_again(&site, 50, 1_000, "add alpine:3.20", &mut |_| {
        sifcache(&site, &["remove", "--yes", "--keep", "0d", "alpine:3.20"]);
    });
    done(&site, &["add", "alpine:3.20"]);
    // The directory where the runtime unpacks layers is cleaned up as well.
    let unpacked = site.at("ctl", SCRATCH);
    let left = tree::files(&unpacked);
    assert!(left.is_empty(), "{left:?}");
    hub("stop");
    started(&site, "library/alpine:3.20").ran("library/alpine:3.20");
}

/// The filler is killed at any point. In each round a job has asked for the image again.
#[test]
#[ignore = "needs a testbed: make test"]
fn fill() {
    let site = Site::new("");
    started(&site, "library/alpine:3.20").tried_the_registry();
    site.logged("n1", "library/alpine:3.20\n");
    let lines = site.log("n1");
    let policy = "allow = [\"docker.io/library/*\"]\nunidentified = \"count\"\n\
                  backoff = { first = \"1s\", longest = \"1s\" }\n";
    fs::write(site.at("ctl", "/home/fill.toml"), policy).unwrap();
    let mut log = String::new();
    let words = "fill --once --policy /home/fill.toml --log /home/n1.log";
    hub("start");
    again_and_again(&site, 40, 1_500, words, &mut |_| {
        sifcache(&site, &["remove", "--yes", "--keep", "0d", "alpine:3.20"]);
        log.push_str(&lines);
        fs::write(site.at("ctl", "/home/n1.log"), &log).unwrap();
    });
    // The request of the last round is not lost, whatever the killed filler has done.
    done(&site, &words.split(' ').collect::<Vec<_>>());
    hub("stop");
    started(&site, "library/alpine:3.20").ran("library/alpine:3.20");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn import() {
    let site = Site::new("");
    let digests = ["0f", "f0"].map(|byte| format!("sha256:{}", byte.repeat(32)));
    for (number, image) in [IMAGE, OTHER].iter().enumerate() {
        let words = format!("import --force {} o/i:1 --digest {}", inside(image), digests[number]);
        again_and_again(&site, 30, 40, &words, &mut |_| {});
    }
    let [first, second] = digests;
    tree::pinned(&site, SHARED, &[(first, IMAGE), (second, OTHER)]);
    done(&site, &["import", "--force", &inside(OTHER), "o/i:1"]);
    started(&site, "o/i:1").ran(OTHER);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn refresh() {
    let site = Site::new("");
    hub("start");
    move_tag(IMAGE, "library/killed:1");
    done(&site, &["add", "killed:1"]);
    again_and_again(&site, 40, 1_000, "refresh killed:1", &mut |number| {
        move_tag(if number % 2 == 0 { OTHER } else { IMAGE }, "library/killed:1");
        // A file with this name always exists.
        assert!(site.at("ctl", SHARED).join("killed:1").exists());
    });
    // Whichever image was pulled last before a kill, the content under a digest matches the digest.
    let pulled = [IMAGE, OTHER].map(|image| (registry::digest(image), image));
    assert!(tree::pinned(&site, SHARED, &pulled) > 0);
    move_tag(OTHER, "library/killed:1");
    done(&site, &["refresh", "killed:1"]);
    hub("stop");
    started(&site, "library/killed:1").ran(OTHER);
    // Only the files of the tag and of its digest are left: the files of older digests that killed
    // commands had left are gone.
    assert_eq!(tree::check(&site.at("ctl", SHARED)).len(), 2);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn gc() {
    let site = Site::new("");
    let root = site.at("ctl", SHARED);
    let rounds = again_and_again(&site, 50, 25, "gc --yes --max-size 3M", &mut |number| {
        for n in 0..6 {
            site.store(IMAGE, &format!("o{n}/i:{number}"));
        }
    });
    done(&site, &["gc", "--yes", "--max-size", "3M"]);
    let images = tree::check(&root).len();
    assert_eq!(images, 2);
    // Nothing was lost: every image is either still in its place or in `kept`.
    let kept = tree::files(&root.join(".sifcache/kept")).len();
    assert_eq!(kept + images, 6 * rounds);
    let first = tree::files(&root.join(".sifcache/kept")).remove(0);
    assert_eq!(
        fs::metadata(first).unwrap().len(),
        fs::metadata(crate::kit::sif(IMAGE)).unwrap().len()
    );
}
