//! What an ordinary user could try: `docs/security.md` has the list.
//!
//! alice attacks, with an account and nothing else. bob is who is to suffer, or root, who
//! tends the cache; alone, alice is after the site's settings. The site's image is
//! [`IMAGE`], hers is [`OTHER`].

mod command;
mod escapes;
mod logs;
mod much;
mod privileged;
mod settings;
mod subdirectory;
mod table;
mod terminal;
mod writers;

use crate::kit::{IMAGE, OTHER, Output, SHARED, Site, WHICH, sif};
use std::fs;
use std::os::unix::fs::chown;

/// What everybody asks for, and the name that it has in an image root.
const REFERENCE: &str = "docker://o/i:1";
const NAME: &str = "o/i:1";

/// alice's user id, and bob's.
const ALICE: u32 = 1001;
const BOB: u32 = 1002;

/// bob's launch on n1.
fn bob(site: &Site, flags: &[&str], image: &str) -> Output {
    let words = [&["srun", "-w", "n1"], flags, &["apptainer", "exec", image], &WHICH[..]].concat();
    site.exec(&["--user", "bob"], &words, "")
}

/// bob does not get what alice has put there; slurmd's log says `why`.
#[track_caller]
fn bob_is_safe(site: &Site, why: &str) {
    bob(site, &[], REFERENCE).tried_the_registry();
    site.logged("n1", &format!("{SHARED}/{NAME} is refused: not trusted: {why}"));
}

/// Runs a script on the login node, which has to succeed.
#[track_caller]
fn script(site: &Site, user: &str, script: &str) -> String {
    let output = site.exec(&["--user", user], &["bash", "-ec", script], "");
    assert_eq!(output.status, 0, "{output:#?}");
    output.stdout
}

/// An image root of alice's own, with her image, where everybody can read it.
fn own_root(site: &Site) -> &'static str {
    const ROOT: &str = "/home/alice/sif";
    script(site, "root", &format!("rm -rf {ROOT}"));
    script(site, "alice", "mkdir -p ~/sif/o && chmod 755 ~");
    let image = site.at("ctl", ROOT).join(NAME);
    fs::copy(sif(OTHER), &image).unwrap();
    chown(image, Some(ALICE), Some(ALICE)).unwrap();
    ROOT
}

/// How many launches of a user stand in the logs of n1, with this event.
fn events(site: &Site, event: &str, user: u32) -> usize {
    let (event, user) = (format!("sifcache: event={event} "), format!(" uid={user} "));
    let log = site.log("n1");
    log.lines().filter(|line| line.contains(&event) && line.contains(&user)).count()
}

/// A site with an image under the name that everybody asks for.
fn site(settings: &str) -> Site {
    let site = Site::new(settings);
    site.store(IMAGE, NAME);
    site
}
