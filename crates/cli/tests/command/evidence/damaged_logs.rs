//! Logs that cannot be read to their end: what is evidence in spite of them.

use super::{Site, daily, days_ago, rfc3339};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write as _;

/// Logs of 60 days in three files. The middle one is damaged, and was last changed 40 days ago. The image
/// was used once, 42 days ago, which only the middle one says.
struct Damaged {
    site: Site,
}

impl Damaged {
    const LOGS: [&str; 3] = ["log", "log.2.gz", "log.3"];

    fn new(content: &[u8]) -> Self {
        let site = Site::new();
        let other = site.hit().replace("o/i:1", "o/j:1");
        let at = |name: &str| site.directory.path().join(name);
        fs::write(at("log.3"), daily(rfc3339, "n1", 46..=60, &other)).unwrap();
        fs::write(at("log.2.gz"), content).unwrap();
        fs::write(at("log"), daily(rfc3339, "n1", 0..=39, &other)).unwrap();
        let file = File::options().write(true).open(at("log.2.gz")).unwrap();
        file.set_modified(days_ago(40).into()).unwrap();
        Self { site }
    }

    /// The lines of the damaged log.
    fn lines(site: &Site) -> String {
        let other = site.hit().replace("o/i:1", "o/j:1");
        // Lines that are hard to compress, so that half of the file has many of them.
        let noise: String = (0_u64..2000)
            .map(|number| {
                let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                rfc3339(days_ago(45), "n1", &format!("a: {random:x}"))
            })
            .collect();
        noise + &daily(rfc3339, "n1", 41..=45, &other) + &rfc3339(days_ago(42), "n1", &site.hit())
    }

    /// Runs `hits`, and returns its JSON object and its messages.
    fn hits(&self) -> (Value, String) {
        let words = [&["hits", "--json", "--log"][..], &Self::LOGS].concat();
        let output = self.site.run(&words);
        assert_eq!(output.status.code(), Some(74), "{output:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        (serde_json::from_slice(&output.stdout).unwrap(), message)
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap()
}

/// The lines that were lost are older than the last change of the file.
#[test]
fn times_after_a_damaged_log_are_evidence() {
    let whole = gzip(&Damaged::lines(&Site::new()));
    let damaged = Damaged::new(&whole[..whole.len() / 2]);
    let (object, message) = damaged.hits();
    let failed = &object["failed"][0];
    assert_eq!((&failed["path"], &object["saved"]), (&"log.2.gz".into(), &true.into()), "{object}");
    let until: Timestamp = failed["until"].as_str().unwrap().parse().unwrap();
    let expected = days_ago(40) + SignedDuration::from_hours(37);
    assert!(until.duration_since(expected).abs() < SignedDuration::from_hours(1), "{object}");
    assert!(message.contains("no image counts as unused before "), "{message}");
    assert_eq!(damaged.site.gc(&["--unused-for", "30d"]), Ok(1));
    for days in ["39d", "41d", "43d", "50d"] {
        let refusal = damaged.site.gc(&["--unused-for", days]).unwrap_err();
        assert!(refusal.contains("n1"), "{days}: {refusal}");
    }
}

/// What was saved while the log could be read stays, and is not joined with later times.
#[test]
fn a_log_that_is_damaged_later() {
    let whole = Damaged::lines(&Site::new());
    let damaged = Damaged::new(&gzip(&whole));
    let site = &damaged.site;
    assert!(site.run(&["hits", "--log", "log.2.gz", "log.3"]).status.success());
    let saved = || -> Value {
        let text = fs::read(site.root().join(".sifcache/last_used.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let before = saved()["nodes"]["n1"]["spans"].clone();
    assert_eq!(before.as_array().unwrap().len(), 1, "{before}");
    let bytes = gzip(&whole);
    let path = site.directory.path().join("log.2.gz");
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(days_ago(40).into()).unwrap();
    damaged.hits();
    let spans = saved()["nodes"]["n1"]["spans"].clone();
    assert_eq!((spans.as_array().unwrap().len(), &spans[0]), (2, &before[0]), "{spans}");
}

/// The time of the last change of such a file proves nothing, so that of its inode counts.
#[test]
fn a_damaged_log_without_any_line() {
    let mut corrupt = gzip("");
    corrupt.truncate(4);
    for content in [&b""[..], &[0; 512], &corrupt, b"no line\n"] {
        let damaged = Damaged::new(content);
        let (object, message) = damaged.hits();
        let until: Timestamp = object["failed"][0]["until"].as_str().unwrap().parse().unwrap();
        assert!(until > Timestamp::now(), "{object}");
        assert_eq!(object["skipped"], serde_json::json!([]), "{content:?}");
        assert!(message.contains("do not show that an image was not used"), "{message}");
        damaged.site.gc(&["--unused-for", "30d"]).unwrap_err();
    }
    // An empty log that was compressed has no lines to lose.
    let empty = Damaged::new(&gzip(""));
    let output = empty.site.run(&["hits", "--json", "--log", "log", "log.2.gz"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // A time of the last change that contradicts the lines is not trusted either.
    let whole = gzip(&Damaged::lines(&Site::new()));
    let damaged = Damaged::new(&whole[..whole.len() / 2]);
    let path = damaged.site.directory.path().join("log.2.gz");
    File::options().write(true).open(path).unwrap().set_modified(days_ago(47).into()).unwrap();
    let (object, _) = damaged.hits();
    let until: Timestamp = object["failed"][0]["until"].as_str().unwrap().parse().unwrap();
    assert!(until > Timestamp::now(), "{object}");
}

/// Without the file, nothing bounds its times.
#[test]
fn a_log_that_does_not_exist() {
    let damaged = Damaged::new(b"");
    fs::remove_file(damaged.site.directory.path().join("log.2.gz")).unwrap();
    let (object, _) = damaged.hits();
    assert_eq!((&object["failed"][0]["until"], &object["saved"]), (&Value::Null, &false.into()));
    damaged.site.gc(&["--unused-for", "30d"]).unwrap_err();
}
