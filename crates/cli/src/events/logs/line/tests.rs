use super::{Line, read, time};
use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

const MESSAGE: &str = "event=miss uid=1 via=shim reference=docker.io/o/i:1";

fn now() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

fn local(text: &str) -> Timestamp {
    let time: jiff::civil::DateTime = text.parse().unwrap();
    time.to_zoned(TimeZone::system()).unwrap().timestamp()
}

/// An entry as `journalctl --output=json` writes it.
fn journal(fields: &str) -> String {
    format!(r#"{{"__REALTIME_TIMESTAMP":"1771902195000000",{fields}}}"#)
}

fn ours(uid: &str) -> String {
    journal(&format!(r#""SYSLOG_IDENTIFIER":"sifcache","_UID":"{uid}","MESSAGE":"{MESSAGE}""#))
}

#[test]
fn plugin_lines_in_all_forms_are_parsed() {
    let zulu = |text: &str| text.parse::<Timestamp>().unwrap();
    let plain = format!(r#""_HOSTNAME":"n1","SYSLOG_IDENTIFIER":"sifcache","MESSAGE":"{MESSAGE}""#);
    for (line, expected) in [
        (format!("Mar  1 03:03:15 n1 sifcache: {MESSAGE}"), local("2026-03-01T03:03:15")),
        (format!("<30>Nov 24 03:03:15 n1 sifcache[17]: {MESSAGE}"), local("2025-11-24T03:03:15")),
        (format!("Feb 29 03:03:15 n1 sifcache: {MESSAGE}"), local("2024-02-29T03:03:15")),
        (
            format!("2026-02-24T03:03:15.583231+01:00 n1 sifcache: {MESSAGE}"),
            zulu("2026-02-24T02:03:15.583231Z"),
        ),
        (format!("<30>2026-02-24T03:03:15Z n1 sifcache: {MESSAGE}"), zulu("2026-02-24T03:03:15Z")),
        (journal(&plain), zulu("2026-02-24T03:03:15Z")),
        (format!("\u{1e}{}", journal(&plain)), zulu("2026-02-24T03:03:15Z")),
        (format!("data: {}", journal(&plain)), zulu("2026-02-24T03:03:15Z")),
        (ours("1"), zulu("2026-02-24T03:03:15Z")),
    ] {
        assert!(matches!(read(&line, now()), Line::Event(at, _) if at == expected), "{line}");
        assert_eq!(time(&line, now()), Some(expected), "{line}");
    }
}

#[test]
fn lines_of_other_programs_are_recognized() {
    for line in [
        "Mar  1 03:03:15 n1 cron[5]: (root) CMD (sifcache hits)".to_owned(),
        "Mar  1 03:03:15 n1 sudo: alice : COMMAND=/usr/bin/grep event=hit /var/log/sifcache"
            .to_owned(),
        format!("Mar  1 03:03:15 n1 sifcacher: {MESSAGE}"),
        format!("Mar  1 03:03:15 n1 cp: /shared/sifcache/x {MESSAGE}"),
        journal(&format!(r#""SYSLOG_IDENTIFIER":"sudo","MESSAGE":"{MESSAGE}""#)),
        "    SYSLOG_RAW=<30>sifcache: event=hit uid=1".to_owned(),
        "    SYSLOG_IDENTIFIER=sifcached".to_owned(),
        "{".to_owned(),
        "ü".repeat(20),
    ] {
        assert_eq!(read(&line, now()), Line::Other, "{line}");
    }
}

/// The lines have unexpected forms or are truncated.
#[test]
fn unreadable_plugin_lines_are_recognized() {
    for line in [
        format!("Mar  1 03:03:15 n1 logger: sifcache: {MESSAGE}"),
        format!("Mar  1 03:03:15 n1 copied: Mar  1 03:03:15 n2 sifcache: {MESSAGE}"),
        format!("Mar  1 03:03:15 n1 sifcache x: {MESSAGE}"),
        format!("Mar  1 03:03:15 n1 sifcache[x]: {MESSAGE}"),
        format!("n1: Mar  1 03:03:15 n1 sifcache: {MESSAGE}"),
        format!("sifcache: {MESSAGE}"),
        format!("[ 1190.760084] n1 sifcache[19]: {MESSAGE}"),
        format!("Feb 30 03:03:15 n1 sifcache: {MESSAGE}"),
        format!("03/01/26 03:03:15,n1,sifcache,{MESSAGE}"),
        format!(r#"{{"who":"sifcache","what":"{MESSAGE}"}}"#),
        journal(&format!(r#""SYSLOG_IDENTIFIER":"sifcache","MESSAGE":"{MESSAGE}"#)),
        "    SYSLOG_IDENTIFIER=sifcache".to_owned(),
        "\t\"SYSLOG_IDENTIFIER\" : \"sifcache\",".to_owned(),
        "Mar  1 03:03:15 n1 sifcache: event=hit uid=1 reference=docker.io/o".to_owned(),
        "Mar  1 03:03:15 n1 sifcache: event=hit".to_owned(),
    ] {
        assert_eq!(read(&line, now()), Line::Unread, "{line}");
    }
}

#[test]
fn forged_lines_with_our_name_are_recognized() {
    for line in [
        "2026-02-24T03:03:15Z n1 sifcache: event=x".to_owned(),
        "2026-02-24T03:03:15Z n1 sifcache: event=miss uid=1 reference=../../etc/passwd".to_owned(),
        journal(r#""SYSLOG_IDENTIFIER":"sifcache","MESSAGE":[1,2]"#),
        // A user sent a line with the user ID of another user.
        ours("1002"),
    ] {
        assert_eq!(read(&line, now()), Line::Forged, "{line}");
    }
    // The shim and the command write messages for the admins.
    for message in ["inactive: x", "docker.io/o/i:1 cannot be requested: munged does not answer"] {
        let line = format!("2026-02-24T03:03:15Z n1 sifcache: {message}");
        assert_eq!(read(&line, now()), Line::Other, "{line}");
    }
}

#[test]
fn times_in_the_future_are_recognized() {
    let line = format!("2026-03-04T03:03:15Z n1 sifcache: {MESSAGE}");
    assert!(matches!(read(&line, now()), Line::Future(_)));
    assert_eq!(time("2026-03-04T03:03:15Z n1 a: b", now()), None);
}

proptest! {
    #[test]
    fn no_input_panics(start in "(<[0-9]{0,3}>)?(Nov 24 03:03:15|2026-01-01T00:00:00Z|\\{)?", rest in "\\PC*") {
        let line = format!("{start}{rest}");
        let _ = (read(&line, now()), time(&line, now()));
    }
}
