use super::super::Counters;
use super::super::batch::Batch;
use super::{Journal, Position};
use crate::demand::request::Request;
use jiff::{SignedDuration, Timestamp};
use std::env;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Set in the namespace of [`SCRIPT`].
const INSIDE: &str = "SIFCACHE_TEST_JOURNALD";

/// Starts journald in namespaces of its own, and then a command.
const SCRIPT: &str = r#"
mount -t tmpfs none /run
mount -t tmpfs none /etc/systemd
[ ! -d /var/log/journal ] || mount -t tmpfs none /var/log/journal
mkdir -p /run/systemd/journal /run/log/journal /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitBurst=0\n' \
    >/etc/systemd/journald.conf.d/test.conf
if ! [ -s /etc/machine-id ]; then
    tr -d - </proc/sys/kernel/random/uuid >/run/machine-id
    mount --bind /run/machine-id /etc/machine-id
fi
/usr/lib/systemd/systemd-journald </dev/null >/dev/null 2>&1 &
for n in $(seq 400); do
    ! [ -S /run/systemd/journal/dev-log ] || exec "$@"
    sleep 0.05
done
exit 1
"#;

/// Runs the body in this process if it is in the namespace, or else this test again there.
fn with_journald(test: &str, body: fn()) {
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    let has = |program: &[&str]| {
        let output = Command::new(program[0]).args(&program[1..]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let unshare = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let can_unshare = has(&[&["unshare"], &unshare[..], &["true"]].concat());
    let has_journald = Path::new("/usr/lib/systemd/systemd-journald").exists();
    if !can_unshare || !has_journald || !has(&["journalctl", "--version"]) {
        eprintln!("skipped: needs root, namespaces and journald");
        return;
    }
    let mut command = Command::new("unshare");
    command.args(unshare).args(["sh", "-ec", SCRIPT, "sh"]).arg(env::current_exe().unwrap());
    let path = format!("demand::source::journal::tests::{test}");
    let output = command.args(["--exact", &path, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:#?}");
}

/// Runs a program of a user, with this input.
fn run(uid: u32, words: &[&str], input: &str) {
    let id = uid.to_string();
    let script = r#"input=$1; shift; printf %s "$input" | "$@""#;
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "sh", "-ec", script, "sh"]);
    let output = command.arg(input).args(words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn miss(uid: u32, image: &str) -> String {
    format!("event=miss uid={uid} via=shim reference=docker.io/o/{image}:1")
}

/// Sends a message as the plugin does.
fn send(sender: u32, message: &str) {
    let logger =
        ["logger", "--socket", "/run/systemd/journal/dev-log", "--size", "16k", "-t", "sifcache"];
    run(sender, &logger, message);
}

fn open(saved: Option<&Position>, follow: bool) -> Journal {
    let since = Timestamp::now() - SignedDuration::from_hours(1);
    Journal::open(None, saved, since, follow).unwrap()
}

/// Reads until the image `last` is requested, and returns all images.
fn until(journal: &mut Journal, counters: &mut Counters, last: &str) -> Vec<Request> {
    let begun = Instant::now();
    let mut all: Vec<Request> = Vec::new();
    let is_last =
        |request: &Request| request.reference.to_string().ends_with(&format!("/{last}:1"));
    while !all.iter().any(is_last) && !journal.ended {
        assert!(begun.elapsed() < Duration::from_secs(60), "{last} does not come: {all:?}");
        let mut batch = Batch::new(counters);
        batch.allow(100, 1 << 20, 100);
        journal.read(&mut batch).unwrap();
        all.extend(batch.finish());
        sleep(Duration::from_millis(10));
    }
    all
}

fn names(requests: &[Request]) -> Vec<String> {
    let names = requests.iter().map(|request| request.reference.to_string());
    names.map(|name| name.replace("docker.io/o/", "").replace(":1", "")).collect()
}

#[test]
fn the_kernel_says_who_asks() {
    with_journald("the_kernel_says_who_asks", || {
        let mut counters = Counters::default();
        send(1234, &miss(1234, "self"));
        send(1234, &miss(1235, "other"));
        send(1234, &miss(0, "root"));
        send(0, &miss(1234, "relayed"));
        send(0, &miss(0, "admin"));
        send(104, &miss(104, "system"));
        let refused = format!(" refused=/{} why=truncated", "x".repeat(6000));
        send(1234, &format!("{}{refused}", miss(1234, "long")));
        // logger sends the lines of its input as fields to the journal's own socket.
        let native = |more: &str| {
            let fields =
                "_UID=1235\n_TRANSPORT=syslog\n_HOSTNAME=n9\n__CURSOR=x\nSYSLOG_IDENTIFIER";
            let message = miss(1235, "native");
            let input = format!("MESSAGE={message}\n{fields}=sifcache\n{more}");
            run(1234, &["logger", "--journald"], &input);
        };
        native("");
        native("SYSLOG_IDENTIFIER=x\n");
        native("MESSAGE=x\n");
        send(1234, &miss(1234, "last"));
        let requests = until(&mut open(None, true), &mut counters, "last");
        let askers: Vec<(String, Option<u32>)> =
            names(&requests).into_iter().zip(requests.iter().map(|one| one.asker)).collect();
        let expected = [
            ("self", Some(1234)),
            ("relayed", None),
            ("admin", None),
            ("system", None),
            ("long", Some(1234)),
            ("last", Some(1234)),
        ];
        assert_eq!(askers, expected.map(|(name, asker)| (name.to_owned(), asker)));
        assert_eq!((counters.requests, counters.forged), (6, 4));
        assert!(requests.iter().all(|one| one.host != "n9" && !one.host.is_empty()));
    });
}

#[test]
fn no_entry_is_lost_or_repeated() {
    with_journald("no_entry_is_lost_or_repeated", || {
        let mut counters = Counters::default();
        let mut journal = open(None, true);
        send(1234, &miss(1234, "a"));
        assert_eq!(names(&until(&mut journal, &mut counters, "a")), ["a"]);
        // A restart, and journalctl without --follow.
        let saved = journal.position();
        send(1234, &miss(1234, "b"));
        let mut once = open(Some(&saved), false);
        assert_eq!(names(&until(&mut once, &mut counters, "none")), ["b"]);
        assert!(once.has_ended());
        assert_eq!(names(&until(&mut open(Some(&saved), true), &mut counters, "b")), ["b"]);
        assert_eq!(names(&until(&mut journal, &mut counters, "b")), ["b"]);
        // The journal is rotated while it is read.
        run(0, &["journalctl", "--rotate"], "");
        send(1234, &miss(1234, "c"));
        assert_eq!(names(&until(&mut journal, &mut counters, "c")), ["c"]);
        // journalctl is killed.
        let child = &mut journal.running.as_mut().unwrap().child;
        child.kill().unwrap();
        child.wait().unwrap();
        send(1234, &miss(1234, "d"));
        assert_eq!(names(&until(&mut journal, &mut counters, "d")), ["d"]);
        assert_eq!((counters.restarts, counters.gaps), (1, 0));
        assert_eq!(journal.problem(), None);
        // The last entry has been removed, with the file that had it.
        let saved = journal.position();
        drop(journal);
        run(0, &["journalctl", "--rotate"], "");
        run(0, &["sh", "-c", "rm /run/log/journal/*/system@*"], "");
        send(1234, &miss(1234, "e"));
        send(1234, &miss(1234, "f"));
        let requests = until(&mut open(Some(&saved), true), &mut counters, "f");
        assert_eq!((names(&requests), counters.gaps), (vec!["e".to_owned(), "f".to_owned()], 1));
        // A cursor that journalctl refuses.
        let other = Position { entry: Some("rubbish".to_owned()), ..saved };
        let requests = until(&mut open(Some(&other), true), &mut counters, "f");
        assert_eq!((names(&requests), counters.gaps), (vec!["e".to_owned(), "f".to_owned()], 2));
    });
}

#[test]
fn a_directory_has_journal_files_also_in_those_of_machines() {
    let directory = tempfile::tempdir().unwrap();
    let machine = directory.path().join("0123456789abcdef0123456789abcdef");
    std::fs::create_dir_all(&machine).unwrap();
    for (path, expected) in [("system.log", false), ("system.journal", true)] {
        std::fs::write(machine.join(path), "").unwrap();
        assert_eq!(super::has_files(directory.path()), expected, "{path}");
    }
    assert!(super::has_files(&machine));
}
