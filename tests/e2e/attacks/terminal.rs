//! File names and log lines that contain control sequences for the terminal of the admin who
//! displays them.

use super::{ALICE, script};
use crate::kit::{IMAGE, SHARED, Site, sif};
use std::fs;
use std::os::unix::fs::chown;

/// Clears the screen; sets the title; moves up a line; clears the screen with a one-character CSI;
/// reverses the text direction.
const HOSTILE: [&str; 5] =
    ["\u{1b}[2J", "\u{1b}]0;pwned\u{7}", "\r\u{1b}[A", "\u{9b}2J", "\u{202e}"];

/// The output of a command on a terminal, which script(1) provides.
fn on_a_terminal(site: &Site, words: &str) -> String {
    let command = format!("sifcache {words}");
    let words = ["script", "-qefc", &command, "/dev/null"];
    site.exec(&["--env", "TERM=xterm-256color"], &words, "").stdout
}

#[track_caller]
fn is_harmless(words: &str, shown: &str) {
    assert!(shown.len() > 10, "{words}: {shown:?}");
    for hostile in HOSTILE.iter().chain(&["\u{7}", "pwned\u{7}"]) {
        assert!(!shown.contains(hostile), "{words}: {hostile:?} in {shown:?}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn file_names() {
    let site = Site::new("");
    site.store(IMAGE, "o/image:1");
    let hers = site.at("ctl", SHARED).join("alice");
    fs::create_dir(&hers).unwrap();
    for name in HOSTILE {
        let directory = hers.join(format!("directory{name}"));
        fs::create_dir(&directory).unwrap();
        fs::copy(sif(IMAGE), directory.join(format!("image{name}"))).unwrap();
        fs::write(hers.join(format!("text{name}")), "").unwrap();
        std::os::unix::fs::symlink("nowhere", hers.join(format!("dangling{name}"))).unwrap();
    }
    chown(&hers, Some(ALICE), None).unwrap();
    script(&site, "root", &format!("chown -R alice {SHARED}/alice"));
    script(&site, "alice", &format!("chmod 700 {SHARED}/alice/directory*"));
    for words in [
        "list",
        "list --sort size --refs",
        "verify",
        "verify --all",
        "verify --all --deep",
        "verify --fix",
        "gc --dry-run --max-size 0",
        "doctor",
        "explain -- apptainer exec docker://alice/x:1",
        "remove --yes /shared/sif/alice/*",
        "remove --yes /shared/sif/alice/directory*/*",
        "import /shared/sif/alice/text* o/i:1",
        "gc --yes --max-size 0",
    ] {
        is_harmless(words, &on_a_terminal(&site, words));
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn lines_of_a_log() {
    let site = Site::new("");
    let mut log = String::from(
        "2026-11-01T00:00:00+00:00 n1 sifcache: event=miss uid=1 reference=docker.io/o/x:1 refused=/shared/sif/x why=empty\n",
    );
    for hostile in HOSTILE {
        let escaped = hostile.as_bytes().escape_ascii();
        log.push_str(&format!(
            "2026-11-01T00:00:00+00:00 n{hostile} sifcache: event=miss uid=1 reference=docker.io/o/i:1 refused=\"/x{escaped}\" why=\"{escaped}\"\n\
             2026-11-01T00:00:00+00:00 n1 sifcache: event=hit uid=1 reference=docker.io/o/i:1 image=\"/x{escaped}\"\n\
             2026-11-01T00:00:00+00:00 n1 sifcache: event=miss uid=1 reference=docker.io/o/i{hostile}:1\n\
             2026-11-01T00:00:00+00:00 n1 sifcache: {hostile}\n"
        ));
    }
    let path = site.at("ctl", "/home").join("hostile\u{1b}[2J.log");
    fs::write(&path, log).unwrap();
    for words in [
        "misses --all --log /home/hostile*",
        "hits --log /home/hostile*",
        "list --log /home/hostile*",
        "report --log /home/hostile*",
        "misses --refs --log /home/hostile*",
    ] {
        let shown = on_a_terminal(&site, words);
        is_harmless(words, &shown);
        assert!(shown.contains("o/x:1") || !words.starts_with("misses"), "{words}: {shown:?}");
    }
    fs::remove_file(path).unwrap();
}
