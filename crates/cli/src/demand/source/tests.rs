use super::{Counters, Cursor, Source};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn line(host: &str, uid: u32, name: &str) -> String {
    let time = Timestamp::now();
    format!("{time} {host} sifcache: event=miss uid={uid} reference=docker.io/{name}\n")
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn logs<const N: usize>() -> (TempDir, [PathBuf; N]) {
    let directory = tempfile::tempdir().unwrap();
    let logs = std::array::from_fn(|number| directory.path().join(format!("log{number}")));
    logs.iter().for_each(|log| append(log, ""));
    (directory, logs)
}

fn open(logs: &[PathBuf], saved: Option<&Cursor>, follow: bool) -> Source {
    let since = Timestamp::now() - SignedDuration::from_hours(24);
    Source::open(logs, saved, since, follow).unwrap_or_else(|error| panic!("{error}"))
}

/// The names of the images of each batch until the end.
fn batches(source: &mut Source, most: usize) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    while let Some(requests) = source.next(most, Duration::ZERO).unwrap() {
        let names = requests.iter().map(|request| request.reference.to_string());
        all.push(names.collect());
        if all.len() > 1000 {
            panic!("no end: {all:?}");
        }
    }
    all.retain(|batch: &Vec<String>| !batch.is_empty());
    all
}

#[test]
fn a_source_can_be_moved_to_a_thread() {
    fn is_send<T: Send>() {}
    is_send::<Source>();
}

#[test]
fn requests_have_a_host_a_time_and_no_asker() {
    let (_directory, logs) = logs::<1>();
    let before = Timestamp::now();
    append(&logs[0], &line("N7.example.org", 1001, "o/i:1"));
    let requests = open(&logs, None, true).next(9, Duration::ZERO).unwrap().unwrap();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(request.reference.to_string(), "docker.io/o/i:1");
    assert_eq!((request.asker, request.host.as_str()), (None, "n7"));
    assert!(request.time >= before && request.time <= Timestamp::now());
}

/// Entries of the journal in a file can be made by whoever can write the file.
#[test]
fn json_in_a_file_names_no_asker() {
    let (_directory, logs) = logs::<1>();
    let entry = r#"{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"TIME","_UID":"1001","_TRANSPORT":"syslog","SYSLOG_IDENTIFIER":"sifcache","MESSAGE":"event=miss uid=1001 reference=docker.io/o/i:1"}"#;
    let time = Timestamp::now().as_microsecond().to_string();
    append(&logs[0], &format!("{}\n", entry.replace("TIME", &time)));
    let requests = open(&logs, None, true).next(9, Duration::ZERO).unwrap().unwrap();
    assert_eq!(requests.iter().map(|request| request.asker).collect::<Vec<_>>(), [None]);
}

#[test]
fn batches_are_limited_and_none_is_lost() {
    let (_directory, logs) = logs::<1>();
    for number in 0..10 {
        append(&logs[0], &line("n1", 1001, &format!("o/i:{number}")).repeat(2));
    }
    let mut source = open(&logs, None, false);
    let all = batches(&mut source, 4);
    assert!(all.iter().all(|batch| batch.len() <= 4), "{all:?}");
    let mut names = all.concat();
    // Repetitions can be in two batches.
    names.dedup();
    let expected: Vec<String> = (0..10).map(|number| format!("docker.io/o/i:{number}")).collect();
    assert_eq!(names, expected);
    let expected = Counters { lines: 20, requests: 20, ..Counters::default() };
    assert_eq!(source.counters(), expected);
}

/// A crash at any time: the caller has saved the cursor after some batch.
#[test]
fn every_cursor_continues_where_it_was_taken() {
    let (_directory, logs) = logs::<2>();
    let names: Vec<String> = (0..12).map(|number| format!("docker.io/o/i:{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let name = name.strip_prefix("docker.io/").unwrap();
        append(&logs[number % 2], &line("n1", 1001, name));
    }
    for saved_after in 0..8 {
        let mut source = open(&logs, None, false);
        let mut all: Vec<String> = Vec::new();
        for _ in 0..saved_after {
            let requests = source.next(2, Duration::ZERO).unwrap().unwrap_or_default();
            all.extend(requests.iter().map(|request| request.reference.to_string()));
        }
        let text = serde_json::to_string(&source.cursor()).unwrap();
        let cursor: Cursor = serde_json::from_str(&text).unwrap();
        assert_eq!(cursor, source.cursor());
        all.extend(batches(&mut open(&logs, Some(&cursor), false), 3).concat());
        let count = all.len();
        all.sort_by_key(|name| name.rsplit(':').next().unwrap().parse::<u32>().unwrap());
        all.dedup();
        assert_eq!((all, count), (names.clone(), names.len()), "{saved_after}");
    }
}

#[test]
fn a_cursor_changes_only_with_new_lines() {
    let (_directory, logs) = logs::<1>();
    let mut source = open(&logs, None, true);
    source.next(9, Duration::ZERO).unwrap();
    let before = source.cursor();
    source.next(9, Duration::ZERO).unwrap();
    // An hour may be over in between, so only the places are compared.
    assert_eq!(source.cursor().logs[0].files, before.logs[0].files);
    append(&logs[0], &format!("{} n1 systemd[1]: Started.\n", Timestamp::now()));
    source.next(9, Duration::ZERO).unwrap();
    assert_ne!(source.cursor().logs[0].files, before.logs[0].files);
}

/// A million forged lines in one log: requests in another log come in the next batch, and the same
/// request is returned once for each batch.
#[test]
fn a_flood_delays_no_other_log() {
    let (_directory, logs) = logs::<2>();
    let rubbish = line("n1", 1001, "o/../i:1").repeat(30);
    let same = line("n1", 1001, "o/same:1").repeat(30);
    append(&logs[0], &[rubbish.as_str(), &same].concat().repeat(50));
    let distinct: String = (0..100).map(|number| line("n1", 1, &format!("o/i:{number}"))).collect();
    append(&logs[0], &distinct);
    append(&logs[1], &line("n2", 1002, "o/honest:1"));
    let mut source = open(&logs, None, false);
    let all = batches(&mut source, 10);
    let first: BTreeSet<String> = all[0].iter().chain(&all[1]).cloned().collect();
    assert!(first.contains("docker.io/o/honest:1"), "{first:?}");
    assert!(all.iter().all(|batch| batch.len() <= 10), "{all:?}");
    let counters = source.counters();
    assert_eq!((counters.forged, counters.requests), (1500, 1601));
    assert_eq!(all.concat().iter().filter(|name| name.contains("/i:")).count(), 100);
}

#[test]
fn unusable_logs_are_errors() {
    let (directory, _) = logs::<1>();
    let open = |path: &str, follow: bool| {
        let source = Source::open(&[directory.path().join(path)], None, Timestamp::now(), follow);
        source.map(drop).map_err(|error| error.to_string())
    };
    let message = open("nothing", false).unwrap_err();
    assert!(message.contains("/nothing: No such file"), "{message}");
    assert_eq!(open("nothing", true), Ok(()));
    let message = Source::open(&["/dev/null".into()], None, Timestamp::now(), true);
    let message = message.map(drop).unwrap_err().to_string();
    assert_eq!(
        message,
        "cannot read /dev/null: it is not a regular file; use `-` to read from a pipe"
    );
}

#[test]
fn the_same_log_is_read_once() {
    let (directory, logs) = logs::<1>();
    append(&logs[0], &line("n1", 1001, "o/i:1"));
    let other = directory.path().join("./log0");
    let mut source = open(&[logs[0].clone(), other], None, false);
    batches(&mut source, 9);
    assert_eq!(source.counters().requests, 1);
}

/// Prints how many lines are read in a second:
/// `cargo test --profile command -p sifcache --bin sifcache -- --ignored --nocapture speed_of_a_flood`.
#[test]
#[ignore = "measures"]
fn speed_of_a_flood() {
    const LINES: usize = 1_000_000;
    let others = |_| format!("{} n1 systemd[1]: Started a session of alice.\n", Timestamp::now());
    let kinds: [(&str, &dyn Fn(usize) -> String); 4] = [
        ("of other programs", &others),
        ("forged", &|_| line("n1", 1001, "o/../i:1")),
        ("valid, the same", &|_| line("n1", 1001, "o/i:1")),
        ("valid, all distinct", &|number| line("n1", 1001, &format!("o/i:{number}"))),
    ];
    for (what, text) in kinds {
        let (_directory, logs) = logs::<1>();
        let text: String = (0..LINES).map(text).collect();
        fs::write(&logs[0], &text).unwrap();
        let mut source = open(&logs, None, false);
        let begun = Instant::now();
        let (mut requests, mut calls, mut longest) = (0, 0, Duration::ZERO);
        loop {
            let call = Instant::now();
            let Some(batch) = source.next(4096, Duration::ZERO).unwrap() else { break };
            longest = longest.max(call.elapsed());
            (requests, calls) = (requests + batch.len(), calls + 1);
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{LINES} lines {what}: {seconds:.2} s, {requests} requests in {calls} calls, the \
             longest {longest:?}"
        );
    }
}
