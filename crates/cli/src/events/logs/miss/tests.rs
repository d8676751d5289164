use super::{Found, Miss, read};
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::path::Path;

/// Formats with several lines for a message, or without a time: see tests/command/captured.rs.
const NOT_READ: [&str; 7] =
    ["DebugFormat", "cat", "export", "json-pretty", "short-delta", "short-monotonic", "verbose"];

fn now() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

/// The misses, and the number of lines that are forged or cannot be read.
fn misses(log: &str) -> (Vec<Miss>, usize) {
    let (mut misses, mut bad) = (Vec::new(), 0);
    for line in log.lines() {
        match read(line.as_bytes(), now()).found {
            Found::Miss(miss) => misses.push(*miss),
            Found::Forged | Found::Unread => bad += 1,
            Found::Other => {}
        }
    }
    (misses, bad)
}

#[test]
fn misses_are_read_from_the_output_of_real_daemons() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured");
    let mut forms = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (form, log) in text.split("=== ").skip(1).map(|form| form.split_once('\n').unwrap()) {
            let what = format!("{}, {form}", path.display());
            if NOT_READ.contains(&form) {
                continue;
            }
            forms += 1;
            let (misses, bad) = misses(log);
            let is_twice = what.contains("/rsyslog") && form.starts_with("relayed");
            assert_eq!((misses.len(), bad), (if is_twice { 2 } else { 1 }, 0), "{what}");
            let miss = &misses[0];
            assert_eq!(miss.reference.to_string(), "docker.io/o/i:2", "{what}");
            assert!(miss.time.to_string().starts_with("2026-01-05T1"), "{what}: {miss:?}");
            assert_eq!(miss.confirmed, None, "{what}: root confirms nobody");
            let expected: &[&str] = match form {
                "no-hostname" => &[""],
                "relayed" | "relayed-chain" => &["n1", "localhost"],
                _ => &["n1"],
            };
            assert!(expected.contains(&miss.host.as_str()), "{what}: {miss:?}");
        }
    }
    assert_eq!(forms, 106);
}

/// An entry as `journalctl --output=json` writes it.
fn entry(sender: &str, transport: &str, uid: &str) -> String {
    let message = format!("event=miss uid={uid} via=shim reference=docker.io/o/i:1");
    format!(
        r#"{{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1771902195000000","_HOSTNAME":"n1.example.org","SYSLOG_IDENTIFIER":"sifcache","_UID":"{sender}","_TRANSPORT":"{transport}","MESSAGE":"{message}"}}"#
    )
}

/// `Some(Some(uid))`: confirmed. `Some(None)`: a request of an unknown user. `None`: forged.
fn confirmed(line: &str) -> Option<Option<u32>> {
    match read(line.as_bytes(), now()).found {
        Found::Miss(miss) => Some(miss.confirmed),
        Found::Forged => None,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn only_the_user_himself_confirms_his_id() {
    for (sender, transport, uid, expected) in [
        ("1001", "syslog", "1001", Some(Some(1001))),
        ("1001", "journal", "1001", Some(Some(1001))),
        // A service's standard output, and ways that no program of a job has.
        ("1001", "stdout", "1001", Some(None)),
        ("1001", "audit", "1001", Some(None)),
        ("1001", "", "1001", Some(None)),
        // Another user.
        ("1002", "syslog", "1001", None),
        ("1002", "syslog", "0", None),
        ("-1", "syslog", "1001", None),
        ("", "syslog", "1001", None),
        // A daemon that passes on lines of other hosts, as root or under its own ID.
        ("0", "syslog", "1001", Some(None)),
        ("0", "journal", "0", Some(None)),
        ("104", "syslog", "1001", Some(None)),
        ("104", "journal", "104", Some(None)),
        ("999", "syslog", "999", Some(None)),
        ("1000", "syslog", "1000", Some(Some(1000))),
        // The ID of users without an ID.
        ("65534", "syslog", "65534", Some(None)),
    ] {
        let line = entry(sender, transport, uid);
        assert_eq!(confirmed(&line), expected, "{sender} {transport} {uid}");
    }
    let line = entry("1001", "syslog", "1001");
    // Fields with several values are arrays.
    assert_eq!(confirmed(&line.replace(r#""syslog""#, r#"["syslog","x"]"#)), Some(None));
    assert_eq!(confirmed(&line.replace(r#""1001""#, r#"["1001","0"]"#)), Some(None));
    // A client can add any field whose name does not begin with an underscore.
    let more = r#"{"UID":"0","HOST":"evil","TRANSPORT":"kernel",""#;
    assert_eq!(confirmed(&line.replace("{\"", more)), Some(Some(1001)));
    let text = "2026-02-24T03:03:15Z n1 sifcache: event=miss uid=1001 reference=docker.io/o/i:1";
    assert_eq!(confirmed(text), Some(None));
}

#[test]
fn every_line_of_a_journal_has_its_place() {
    let line = entry("1001", "syslog", "1001");
    for line in [
        line.clone(),
        line.replace("event=miss", "event=hit"),
        line.replace("event=miss", "rubbish"),
        line.replace(r#""sifcache""#, r#"["sifcache","x"]"#),
        line.replace("docker.io/o/i:1\"", "x\",\"MESSAGE\":null"),
    ] {
        let cursor = read(line.as_bytes(), now()).cursor;
        assert_eq!(cursor.as_deref(), Some("s=1;i=2"), "{line}");
    }
}

#[test]
fn hosts_are_short_and_times_are_not_in_the_future() {
    let Found::Miss(miss) = read(entry("1001", "syslog", "1001").as_bytes(), now()).found else {
        panic!("not a miss")
    };
    assert_eq!((miss.host.as_str(), miss.time.as_second()), ("n1", 1_771_902_195));
    let before = |time: SignedDuration| {
        let line = format!(
            "{} n1 sifcache: event=miss uid=1 reference=docker.io/o/i:1",
            now().checked_add(time).unwrap()
        );
        match read(line.as_bytes(), now()).found {
            Found::Miss(miss) => now().duration_since(miss.time),
            other => panic!("{line}: {other:?}"),
        }
    };
    let hours = SignedDuration::from_hours;
    assert_eq!(before(hours(-2)), hours(2));
    assert_eq!(before(hours(2)), hours(0));
    assert_eq!(before(hours(24 * 400)), hours(0));
}

#[test]
fn lines_without_a_request() {
    let head = "2026-02-24T03:03:15Z n1 sifcache:";
    for (line, expected) in [
        (format!("{head} event=hit uid=1 reference=docker.io/o/i:1 image=/s/i"), Found::Other),
        (format!("{head} event=hit uid=1 refer"), Found::Other),
        (format!("{head} event=miss uid=1 refer"), Found::Forged),
        (format!("{head} event=miss uid=1 reference=docker.io/../etc:1"), Found::Forged),
        (format!("{head} event=rubbish"), Found::Forged),
        (format!("{head} docker.io/o/i:1 cannot be requested: no credential"), Found::Other),
        ("x n1 sifcache: event=miss uid=1 reference=docker.io/o/i:1".to_owned(), Found::Unread),
        ("x n1 sifcache: event=hit uid=1 reference=docker.io/o/i:1".to_owned(), Found::Other),
        ("2026-02-24T03:03:15Z n1 sudo: alice : sifcache misses".to_owned(), Found::Other),
    ] {
        assert_eq!(read(line.as_bytes(), now()).found, expected, "{line}");
    }
}
