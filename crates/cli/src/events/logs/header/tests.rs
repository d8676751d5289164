use super::{Header, Program, read, stamp_end, usual_stamp, without_priority};
use proptest::prelude::*;

const MESSAGE: &str = "event=miss uid=1 via=shim reference=docker.io/o/i:1";

/// Time, host and message of a line of the plugin.
#[track_caller]
fn ours(line: &str) -> (String, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match read(line.as_bytes()) {
        Some(Header { stamp, host, program: Program::Ours(message) }) => {
            (text(stamp), text(host.unwrap_or_default()), text(message))
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn all_forms_of_the_time_are_parsed() {
    for stamp in [
        "Nov 24 03:03:15",
        "Nov  4 03:03:15",
        "Nov 24 03:03:15.250000",
        "Nov 24 2026 03:03:15",
        "2026 Nov 24 03:03:15",
        "Tue Nov 24 03:03:15 2026",
        "2026-11-24T03:03:15Z",
        "2026-11-24T03:03:15.25+00:00",
        "2026-11-24T03:03:15+0000",
        "2026-11-24 03:03:15.250000",
        "2026-11-24 03:03:15 +0100",
        "Tue 2026-11-24 03:03:15 UTC",
        "Tue 2026-11-24 03:03:15.25 -03",
        "1795489395",
        "1795489395.250",
    ] {
        for front in ["", "<30>", "98 <30>", "\u{feff}"] {
            let line = format!("{front}{stamp} n1 sifcache[17]: {MESSAGE}");
            assert_eq!(
                ours(&line),
                (stamp.to_owned(), "n1".to_owned(), MESSAGE.to_owned()),
                "{line}"
            );
        }
    }
    for line in ["", "n1 sifcache: x", "Nov 24", "[ 12.5] n1 sifcache: x", "123456 n1 sifcache: x"]
    {
        assert_eq!(read(line.as_bytes()), None, "{line}");
    }
}

#[test]
fn the_host_is_found_among_other_words() {
    for (words, host) in [
        ("n1 sifcache:", "n1"),
        ("n1\tsifcache:\t", "n1"),
        ("n1 sifcache[17]:", "n1"),
        ("n1 sifcache", "n1"),
        ("n1 daemon.info sifcache:", "n1"),
        ("daemon.info 10.1.1.1 n1 sifcache:", "n1"),
        ("10.1.1.1 n1 sifcache:", "n1"),
        ("n1 10.1.1.1 sifcache:", "n1"),
        ("fe80::1 n1 sifcache:", "n1"),
        ("relay1 n1.example.org sifcache:", "n1.example.org"),
        ("10.1.1.1 sifcache:", "10.1.1.1"),
        ("s@n1/relay1 sifcache:", "n1"),
        ("sifcache:", ""),
        ("n1 sifcache 17 - -", "n1"),
        ("n1 sifcache - - [a b=\"]\\\"\"][c]", "n1"),
    ] {
        let line = format!("Nov 24 03:03:15 {words} {MESSAGE}");
        assert_eq!(ours(&line).1, host, "{line}");
        assert_eq!(ours(&line).2, MESSAGE, "{line}");
    }
    for words in ["n1 sifcache - -  -", "n1 sifcache 17 - [a b=\"c\"]", "- sifcache - - - \u{feff}"]
    {
        let line = format!("<30>1 2026-11-24T03:03:15Z {words} {MESSAGE}");
        assert_eq!(ours(&line).2, MESSAGE, "{line}");
    }
}

#[test]
fn lines_of_other_programs_are_recognized() {
    for (line, host) in [
        ("Nov 24 03:03:15 n1 sshd[7]: session opened", Some("n1")),
        ("Nov 24 03:03:15 10.1.1.1 n1 kernel: [12.5] up", Some("n1")),
        ("Nov 24 03:03:15 n1 logger: sifcache: event=hit", Some("n1")),
        ("Nov 24 03:03:15 n1 sifcacher: event=hit", Some("n1")),
        ("Nov 24 03:03:15 n1 sifcache[x]: event=hit", Some("n1")),
        ("<30>1 2026-11-24T03:03:15Z n1 sshd 7 - - session opened", Some("n1")),
        ("Nov 24 03:03:15 sifcache sshd[7]: session opened", Some("sifcache")),
        ("Nov 24 03:03:15", None),
    ] {
        let header = read(line.as_bytes()).unwrap();
        assert_eq!(header.host, host.map(str::as_bytes), "{line}");
        assert!(!matches!(header.program, Program::Ours(_)), "{line}");
    }
}

#[test]
fn usual_times_are_recognized_by_their_digits() {
    for (line, end) in [
        ("2026-11-24T03:03:15.123456+00:00 n1 a: b", Some(32)),
        ("2026-11-24T03:03:15Z\tn1 a: b", Some(20)),
        ("2026-11-24T03:03:15", Some(19)),
        ("Nov 24 03:03:15 n1 a: b", Some(15)),
        ("Nov  4 03:03:15.123 n1 a: b", Some(19)),
        ("2026-11-24 03:03:15 n1 a: b", None),
        ("2026-11-24T03:03:1x n1 a: b", None),
        ("Nov 24 03:03:15 2026 n1 a: b", None),
        ("Nox 24 03:03:15 n1 a: b", None),
        ("Nov x4 03:03:15 n1 a: b", None),
        ("<30>Nov 24 03:03:15 n1 a: b", None),
    ] {
        assert_eq!(usual_stamp::end(line.as_bytes()), end, "{line}");
    }
}

proptest! {
    /// Usual times are parsed as all others are.
    #[test]
    fn a_usual_time_is_not_special(
        line in "(<30>)?(1 |7 )?(2026-1[0-9]-24[T \t_]|Nov [ 1-9x]4 |Nov 24 ([12]026 )?|Nox 24 )\
                 03:03:1[0-9x](\\.[0-9]{0,9})?([Z+ ][0:]{0,30})?([ \t]{1,2}(2026|1x|n1|[a-z0-9.:]{1,20})){0,3}",
    ) {
        if let Some(end) = usual_stamp::end(line.as_bytes()) {
            prop_assert_eq!(without_priority(line.as_bytes()), (line.as_bytes(), false));
            prop_assert_eq!(stamp_end(line.as_bytes()), Some(end));
        }
    }

    #[test]
    fn no_input_panics(start in "(<[0-9]{0,3}>)?1? ?(Nov 24 03:03:15|2026-01-01T00:00:00Z|)( n1)?( sifcache)?", rest: Vec<u8>) {
        let line = [start.as_bytes(), &rest].concat();
        let _ = read(&line);
    }
}
