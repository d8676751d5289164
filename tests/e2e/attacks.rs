//! Attacks that an ordinary user could try; `docs/security.md` lists them.
//!
//! alice is the attacker and has only an ordinary account. The victim is bob, or root, who
//! maintains the cache. In tests where only alice appears, she attacks the site's settings. The
//! site's image is [`IMAGE`], hers is [`OTHER`].

mod command;
mod escapes;
mod logs;
mod privileged;
mod settings;
mod subdirectory;
mod table;
mod terminal;
mod volume;
mod writers;

use crate::kit::{IMAGE, OTHER, Output, SHARED, Site, WHICH, sif};
use std::fs;
use std::os::unix::fs::chown;

/// The reference that all users launch, and its name in an image root.
const REFERENCE: &str = "docker://o/i:1";
const NAME: &str = "o/i:1";

/// The user IDs of alice and bob.
const ALICE: u32 = 1001;
const BOB: u32 = 1002;

/// bob's launch on n1.
fn bob(site: &Site, flags: &[&str], image: &str) -> Output {
    let words = [&["srun", "-w", "n1"], flags, &["apptainer", "exec", image], &WHICH[..]].concat();
    site.exec(&["--user", "bob"], &words, "")
}

/// Asserts that bob does not get the image that alice planted, and that slurmd's log contains
/// `why`.
#[track_caller]
fn bob_is_safe(site: &Site, why: &str) {
    bob(site, &[], REFERENCE).tried_the_registry();
    site.logged("n1", &format!("{SHARED}/{NAME} is refused: not trusted: {why}"));
}

/// Runs a script on the login node, asserts that it succeeds, and returns its standard output.
#[track_caller]
fn script(site: &Site, user: &str, script: &str) -> String {
    let output = site.exec(&["--user", user], &["bash", "-ec", script], "");
    assert_eq!(output.status, 0, "{output:#?}");
    output.stdout
}

/// Creates an image root owned by alice, with her image, readable by everybody.
fn own_root(site: &Site) -> &'static str {
    const ROOT: &str = "/home/alice/sif";
    script(site, "root", &format!("rm -rf {ROOT}"));
    script(site, "alice", "mkdir -p ~/sif/o && chmod 755 ~");
    let image = site.at("ctl", ROOT).join(NAME);
    fs::copy(sif(OTHER), &image).unwrap();
    chown(image, Some(ALICE), Some(ALICE)).unwrap();
    ROOT
}

/// The number of lines in the logs of n1 that report this event for this user.
fn events(site: &Site, event: &str, user: u32) -> usize {
    let (event, user) = (format!("sifcache: event={event} "), format!(" uid={user} "));
    let log = site.log("n1");
    log.lines().filter(|line| line.contains(&event) && line.contains(&user)).count()
}

/// A site that has an image under [`NAME`].
fn site(settings: &str) -> Site {
    let site = Site::new(settings);
    site.store(IMAGE, NAME);
    site
}
