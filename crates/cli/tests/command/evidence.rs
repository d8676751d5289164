//! From logs through `hits` to `gc --unused-for`: an image is removed only if the logs prove that
//! it was unused.

mod damaged_logs;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sif_fixture::Sif;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// An image root with one image, which is 90 days old.
struct Site {
    directory: TempDir,
}

/// Formats a log line from a time, a host, and a text `PROGRAM: TEXT`.
type Form = fn(Timestamp, &str, &str) -> String;

fn rfc3339(time: Timestamp, host: &str, message: &str) -> String {
    format!("{time} {host} {message}\n")
}

fn days_ago(days: i64) -> Timestamp {
    // One minute earlier, so that no line is on the boundary between two of the whole days that are
    // read.
    Timestamp::now() - SignedDuration::from_hours(24 * days) - SignedDuration::from_mins(1)
}

impl Site {
    fn new() -> Self {
        let site = Self { directory: TempDir::new().unwrap() };
        let image = site.root().join("o/i:1");
        Sif::image().write(&image).unwrap();
        File::options().write(true).open(image).unwrap().set_modified(days_ago(90).into()).unwrap();
        site
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        let (verb, rest) = words.split_first().unwrap();
        command.arg(verb).arg("--root").arg(self.root()).args(rest);
        command.current_dir(self.directory.path()).env_clear().env("TZ", "UTC");
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Writes a log, makes `hits` save it, and returns the output of `hits`.
    fn hits(&self, log: &str) -> String {
        fs::write(self.directory.path().join("log"), log).unwrap();
        let output = self.run(&["hits", "--log", "log"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The number of images that `gc --unused-for` would remove, or the error message if it
    /// refuses.
    fn gc(&self, words: &[&str]) -> Result<usize, String> {
        let output = self.run(&[&["gc", "--dry-run", "--json"], words].concat());
        if output.status.code() == Some(69) {
            return Err(String::from_utf8(output.stderr).unwrap());
        }
        assert!(output.status.success(), "{output:?}");
        let object: Value = serde_json::from_slice(&output.stdout).unwrap();
        Ok(object["removed"].as_array().unwrap().len())
    }

    fn hit(&self) -> String {
        let image = self.root().join("o/i:1");
        let message = "sifcache: event=hit job=9 step=0 node=0 tasks=1 uid=1001";
        format!("{message} reference=docker.io/o/i:1 image={}", image.display())
    }
}

const OTHER: &str = "systemd[1]: Started session.";

/// One line of a host for each of these days, oldest first.
fn daily(form: Form, host: &str, days: std::ops::RangeInclusive<i64>, message: &str) -> String {
    days.rev().map(|day| form(days_ago(day), host, message)).collect()
}

fn local(time: Timestamp, format: &str) -> String {
    time.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string()
}

/// A job uses the image every day; this is tested with every format of the log.
#[test]
fn an_image_in_daily_use_is_kept() {
    let forms: [(&str, Form); 8] = [
        ("plain", |t, h, s| format!("{} {h} {s}\n", local(t, "%b %e %T"))),
        ("precise", |t, h, s| format!("{}.123456 {h} {s}\n", local(t, "%b %e %T"))),
        ("facility", |t, h, s| format!("{} {h} daemon.info {s}\n", local(t, "%b %e %T"))),
        ("relay", |t, h, s| format!("{} 10.1.1.1 {h} {s}\n", local(t, "%b %e %T"))),
        ("short-full", |t, h, s| format!("{} UTC {h} {s}\n", local(t, "%a %F %T"))),
        ("short-unix", |t, h, s| format!("{}.5 {h} {s}\n", t.as_second())),
        ("rfc5424", |t, h, s| format!("<30>1 {t} {h} {}\n", s.replacen(": ", " - - - ", 1))),
        ("full", |t, h, s| format!("{} {h} {s}\n", local(t, "%Y %b %e %T"))),
    ];
    for (name, form) in forms {
        let site = Site::new();
        let message = site.hits(&daily(form, "n1", 0..=40, &site.hit()));
        assert!(
            message.contains("o/i:1") && message.contains("saved for `list` and `gc`"),
            "{name}: {message}"
        );
        assert_eq!(site.gc(&["--unused-for", "20d"]), Ok(0), "{name}");
        // Without lines about the image for the last 30 days, the log proves that it was unused;
        // before that it was used.
        let site = Site::new();
        let log = daily(form, "n1", 30..=40, &site.hit()) + &daily(form, "n1", 0..=40, OTHER);
        site.hits(&(log + &form(days_ago(0), "n1", &site.hit().replace("o/i:1", "o/j:1"))));
        assert_eq!(site.gc(&["--unused-for", "20d"]), Ok(1), "{name}");
    }
}

/// Unknown formats.
#[test]
fn an_unreadable_log_is_no_evidence() {
    let forms: [(&str, Form); 5] = [
        ("pdsh", |t, h, s| format!("{h}: {t} {h} {s}\n")),
        ("wrapped", |t, h, s| format!("{t} {h} copied: {t} {h} {s}\n")),
        ("columns", |t, h, s| format!("{t},{h},{}\n", s.replacen(": ", ",", 1))),
        ("other words", |t, h, s| format!("{t} {h} a b c d e {s}\n")),
        ("cut short", |t, h, s| format!("{t} {h} {}\n", s.split(" reference").next().unwrap())),
    ];
    for (name, form) in forms {
        let site = Site::new();
        let log = daily(rfc3339, "n1", 0..=40, OTHER) + &daily(form, "n1", 0..=40, &site.hit());
        let message = site.hits(&log);
        assert!(
            !message.contains("no image was used") && !message.contains("saved for `list`"),
            "{name}: {message}"
        );
        assert!(
            message.contains(
                "41 lines of sifcache could not be read, so the use of images is not saved"
            ),
            "{message}"
        );
        assert!(
            message.contains("event=hit job=9") && message.contains("docs/logs.md"),
            "{name}: {message}"
        );
        let refused = site.gc(&["--unused-for", "20d"]).unwrap_err();
        assert!(refused.contains("there are no records of image use"), "{name}: {refused}");
        // The result is the same if `gc` reads the log itself.
        assert!(site.gc(&["--unused-for", "20d", "--log", "log"]).is_err(), "{name}");
    }
}

#[test]
fn a_log_without_sifcache_lines_is_no_evidence() {
    for host in ["login1", "n1"] {
        let site = Site::new();
        let message = site.hits(&daily(rfc3339, host, 0..=40, OTHER));
        assert!(
            message.contains("no line is from sifcache, so the use of images is not saved"),
            "{message}"
        );
        assert!(
            !message.contains("no image was used") && !message.contains("saved for `list`"),
            "{message}"
        );
        assert!(site.gc(&["--unused-for", "20d"]).is_err());
        assert!(!site.root().join(".sifcache/last_used.json").exists());
    }
    // The same applies to a log that contained lines of sifcache only in the past.
    let site = Site::new();
    site.hits(&daily(rfc3339, "n1", 30..=60, &site.hit()));
    let message = site.hits(&daily(rfc3339, "n1", 0..=30, OTHER));
    assert!(!message.contains("saved for `list`"), "{message}");
    let refused = site.gc(&["--unused-for", "20d"]).unwrap_err();
    assert!(refused.contains("end on") && refused.contains("n1"), "{refused}");
}

/// Two days without a job, and then jobs again: the daily run has lost no information.
#[test]
fn a_quiet_weekend_between_two_logs() {
    let site = Site::new();
    site.hits(&daily(rfc3339, "n1", 4..=40, &site.hit()));
    let message = site.hits(&daily(rfc3339, "n1", 2..=4, OTHER));
    assert!(!message.contains("saved for `list`"), "{message}");
    site.hits(&daily(rfc3339, "n1", 1..=2, OTHER));
    site.hits(&(daily(rfc3339, "n1", 0..=1, OTHER) + &rfc3339(days_ago(0), "n1", &site.hit())));
    assert_eq!(site.gc(&["--unused-for", "30d"]), Ok(0));
}

/// One unreadable line among many: nothing is known about the days around it, until the log is
/// given in a readable format.
#[test]
fn one_unreadable_line() {
    let site = Site::new();
    let (good, odd) = (|days| daily(rfc3339, "n1", days, &site.hit()), days_ago(10));
    site.hits(&good(12..=40));
    let message = site.hits(&(good(8..=12) + &format!("n1: {odd} {}\n", site.hit())));
    assert!(message.contains("1 line of sifcache could not be read"), "{message}");
    site.hits(&good(0..=8));
    assert!(site.gc(&["--unused-for", "20d"]).is_err());
    assert_eq!(site.gc(&["--unused-for", "7d"]), Ok(0));
    site.hits(&good(8..=12));
    assert_eq!(site.gc(&["--unused-for", "20d"]), Ok(0));
}

/// n2 used the cache. After that, its lines end or are in another log, or the node no longer
/// exists.
#[test]
fn every_node_that_used_the_cache_counts() {
    let site = Site::new();
    let both = |days: std::ops::RangeInclusive<i64>| {
        daily(rfc3339, "n1", days.clone(), &site.hit()) + &daily(rfc3339, "n2", days, &site.hit())
    };
    site.hits(&both(20..=60));
    site.hits(&daily(rfc3339, "n1", 0..=20, &site.hit()));
    let refused = site.gc(&["--unused-for", "30d"]).unwrap_err();
    assert!(refused.contains("(node n2)") && refused.contains("--without-nodes n2"), "{refused}");
    assert_eq!(site.gc(&["--unused-for", "30d", "--without-nodes", "n2"]), Ok(0));
    assert!(site.gc(&["--unused-for", "30d", "--without-nodes", "n3"]).is_err());
    // The node's own log has its host name with a domain, and the other log has it without one.
    site.hits(&daily(rfc3339, "N2.example.org", 0..=20, &site.hit()));
    assert_eq!(site.gc(&["--unused-for", "30d"]), Ok(0));
}

/// A gap in the lines of one node, while the lines of the other node continue.
#[test]
fn a_gap_in_the_lines_of_one_node() {
    let site = Site::new();
    let n1 = daily(rfc3339, "n1", 0..=40, &site.hit());
    let n2 = daily(rfc3339, "n2", 20..=40, &site.hit()) + &daily(rfc3339, "n2", 0..=9, &site.hit());
    site.hits(&(n1 + &n2));
    let refused = site.gc(&["--unused-for", "30d"]).unwrap_err();
    assert!(refused.contains("begin on") && refused.contains("n2"), "{refused}");
    assert_eq!(site.gc(&["--unused-for", "7d"]), Ok(0));
}

/// The time of the line is unknown, but it proves that the node uses the cache.
#[test]
fn a_node_whose_clock_is_ahead() {
    let site = Site::new();
    let ahead = rfc3339(days_ago(-40), "n2", &site.hit());
    let message = site.hits(&(daily(rfc3339, "n1", 0..=40, &site.hit()) + &ahead));
    assert!(
        message.contains("1 line has a time in the future: check the clock of n2"),
        "{message}"
    );
    assert!(!message.contains("not the plugin's"), "{message}");
    let refused = site.gc(&["--unused-for", "20d"]).unwrap_err();
    assert!(refused.contains("there is no log of n2"), "{refused}");
    // An image is not treated as unused if that line is the only sign that it was used.
    let site = Site::new();
    let other = site.hit().replace("o/i:1", "o/j:1");
    let near = |host| daily(rfc3339, host, 0..=40, &other);
    let early = rfc3339(days_ago(41), "n1", OTHER) + &daily(rfc3339, "n1", 11..=40, OTHER);
    let late = rfc3339(days_ago(-40), "n1", &site.hit()) + &daily(rfc3339, "n1", 0..=10, &other);
    site.hits(&(early + &late));
    assert_eq!(site.gc(&["--unused-for", "20d"]), Ok(0));
    assert_eq!(site.gc(&["--unused-for", "5d"]), Ok(1));
    site.hits(&near("n1"));
    assert_eq!(site.gc(&["--unused-for", "20d"]), Ok(0));
}

/// With the site's own settings, Slurm lists the nodes.
#[test]
fn nodes_of_the_cluster_without_a_log() {
    let site = Site::new();
    site.hits(&daily(rfc3339, "n1", 0..=40, &site.hit()));
    let at = |name: &str| site.directory.path().join(name);
    fs::write(at("sinfo"), "#!/bin/sh\nprintf 'n1|idle\\nn2|mixed\\nn3|down*\\n'\n").unwrap();
    Command::new("chmod").args(["755"]).arg(at("sinfo")).status().unwrap();
    let line = format!("optional spank_sifcache.so image_root={}\n", site.root().display());
    fs::write(at("plugstack.conf"), line).unwrap();
    let gc = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.args(["gc", "--dry-run", "--unused-for", "20d", "--plugstack"]);
        command.arg(at("plugstack.conf")).args(more).env_clear().env("TZ", "UTC");
        command.env("PATH", format!("{}:/usr/bin:/bin", site.directory.path().display()));
        command.stdin(Stdio::null()).output().unwrap()
    };
    let output = gc(&[]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert!(message.contains("there is no log of n2, where jobs may use the cache"), "{message}");
    assert_eq!(gc(&["--without-nodes", "n2"]).status.code(), Some(0));
    // Without Slurm, only the logs show which nodes there are, and the command reports this.
    fs::remove_file(at("sinfo")).unwrap();
    fs::write(at("sinfo"), "#!/bin/sh\necho 'sinfo: error: no controller' >&2; exit 1\n").unwrap();
    Command::new("chmod").args(["755"]).arg(at("sinfo")).status().unwrap();
    let output = gc(&[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no controller"), "{output:?}");
}
