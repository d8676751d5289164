use super::parse;
use proptest::prelude::*;
use sifcache_core::decision::Kind;
use sifcache_core::fields::value;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

#[test]
fn lines_of_the_plugin_and_the_shim_are_parsed() {
    let event = parse(
        "event=hit job=8 step=0 node=1 tasks=2 uid=1001 reference=docker.io/o/i:1 image=/s/o/i:1",
    )
    .unwrap();
    assert_eq!((event.job, event.uid, event.count), (Some(8), 1001, 2));
    assert_eq!(event.kind, Kind::Launch);
    assert_eq!(event.image.as_deref(), Some(Path::new("/s/o/i:1")));
    let event = parse(
        "event=miss uid=1002 via=shim reference=docker.io/library/ubuntu:latest wait=600 \
         refused=/s/ubuntu why=truncated refused=\"/s/a b\" why=unreadable",
    )
    .unwrap();
    assert_eq!((event.job, event.uid, event.count, &event.image), (None, 1002, 1, &None));
    assert_eq!(event.kind, Kind::Launch);
    let pull =
        parse("event=hit job=9 step=batch node=0 uid=7 via=pull reference=o/i:1 image=/s/o/i:1");
    assert_eq!(
        pull.map(|event| (event.kind, event.count, event.link)),
        Some((Kind::Pull, 1, None))
    );
    let pull =
        parse("event=hit uid=7 via=pull reference=o/i:1 image=/l/o/i:1 link=/s/o/i@sha256:0f");
    let link = pull.and_then(|event| event.link);
    assert_eq!(link.as_deref(), Some(Path::new("/s/o/i@sha256:0f")));
    let build = parse("event=miss job=9 step=0 node=0 tasks=2 uid=7 via=build reference=o/i:1");
    assert_eq!(build.map(|event| (event.kind, event.count)), Some((Kind::Build, 2)));
    let refused = [("/s/ubuntu", "truncated"), ("/s/a b", "unreadable")];
    let expected = refused.map(|(path, why)| (PathBuf::from(path), why.to_owned()));
    assert_eq!(event.refused, expected);
}

#[test]
fn forged_lines_are_rejected() {
    for line in [
        "",
        "event=hit",
        "event=hit uid=1 reference=docker.io/o/i:1",
        "event=miss uid=1 reference=../../etc/passwd",
        "event=miss uid=1 reference=docker.io/o/i:1;reboot",
        "event=miss uid=-1 reference=docker.io/o/i:1",
        "event=miss uid=+1 reference=docker.io/o/i:1",
        "event=miss uid= reference=docker.io/o/i:1",
        "event=miss uid=1 job=x reference=docker.io/o/i:1",
        "event=miss uid=1 tasks=99999999999 reference=docker.io/o/i:1",
        "event=other uid=1 reference=docker.io/o/i:1",
        "event=miss uid=1 reference=\"docker.io/o/i:1",
        "event=miss uid=1 reference=\"\\q\"",
        "event=miss uid=1 reference=\"docker.io/o/i:1\"via=shim",
        "event=miss  uid=1 reference=docker.io/o/i:1",
        "event=miss uid=1 reference=docker.io/o/i:1 why=a=b",
        "event=miss uid=1 reference=docker.io/o/i:1 why=\u{202e}b",
        "event=miss uid=1 reference=docker.io/o/i:1 why=\"\u{1b}[2J\"",
        "event=miss uid=1 reference=docker.io/o/i:1 why=\"\\x1B\"",
        "inactive: plugstack.conf: unknown key",
    ] {
        assert_eq!(parse(line), None, "{line}");
    }
}

/// rsyslog can combine identical lines.
#[test]
fn repeated_messages_are_counted() {
    let message = "event=miss job=8 step=0 node=0 tasks=2 uid=1 reference=docker.io/o/i:1";
    let count = |line: &str| parse(line).map(|event| event.count);
    assert_eq!(count(&format!("message repeated 3 times: [ {message}]")), Some(6));
    for line in [
        format!("message repeated 3 times: [ {message}"),
        format!("message repeated x times: [ {message}]"),
        format!("message repeated 99999999999 times: [ {message}]"),
        "message repeated 3 times: [ cut short".to_owned(),
    ] {
        assert_eq!(count(&line), None, "{line}");
    }
}

proptest! {
    /// Paths can have any content, including text that imitates other fields.
    #[test]
    fn every_path_comes_back(image: Vec<u8>, refused: Vec<u8>) {
        let line = format!(
            "event=hit uid=1 via=shim reference=docker.io/o/i:1 image={} refused={} why=empty",
            value(&image),
            value(&refused),
        );
        let event = parse(&line).unwrap();
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        prop_assert_eq!(event.image, Some(path(&image)));
        prop_assert_eq!(event.refused, vec![(path(&refused), "empty".to_owned())]);
    }

    #[test]
    fn no_input_panics(line in "\\PC*", bytes: Vec<u8>) {
        let _ = parse(&line);
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }
}
