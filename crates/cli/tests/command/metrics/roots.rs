//! The state of the image roots in the output of `sifcache metrics`.

use super::{command, finish, run, value};
use crate::registry::{Deed, Response, Server};
use crate::tree::{Tree, mode, pulled};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

#[test]
fn image_roots_that_are_not_there() {
    let Some(tree) = Tree::new() else { return };
    let output = run(&tree, "metrics --root TOP/none:TOP/root:pulls=TOP/bin --no-counters");
    assert_eq!(output.status, Some(1), "{}", output.stderr);
    for (root, expected) in [("none", 0.0), ("root", 1.0), ("bin", 0.0)] {
        let sample = format!("sifcache_root_readable{{root=\"{}\"}}", tree.text(root));
        assert_eq!(value(&output.stdout, &sample), Some(expected), "{}", output.stdout);
    }
    let size = |root| {
        value(&output.stdout, &format!("sifcache_root_size_bytes{{root=\"{}\"}}", tree.text(root)))
    };
    assert!(size("root") > Some(0.0) && size("none").is_none(), "{}", output.stdout);
}

/// Without its settings, a command would say nothing about the image roots, as if the site had none.
#[test]
fn settings_that_cannot_be_read_are_not_missing_ones() {
    let Some(tree) = Tree::new() else { return };
    tree.file("log", b"2026-11-24T03:03:15Z n1 sifcache: event=miss uid=7 reference=o/i:1\n");
    tree.file("other.conf", b"required other.so\n");
    tree.file("windows.conf", b"include windows.d/*.conf\r\n");
    for command in ["metrics --no-counters", "hits --log TOP/log", "misses --log TOP/log"] {
        for (file, status) in [("none", 74), ("windows", 78), ("other", 0)] {
            let output = run(&tree, &format!("{command} --plugstack TOP/{file}.conf"));
            assert_eq!(output.status, Some(status), "{command} {file}: {}", output.stderr);
            assert_eq!(output.stdout.is_empty(), status > 0, "{command} {file}: {}", output.stdout);
            let is_named = output.stderr.contains(&format!("{file}.conf"));
            assert_eq!(is_named, status > 0, "{command} {file}: {}", output.stderr);
        }
    }
}

/// A directory that is closed to the caller is skipped, as by `sifcache list`.
#[test]
fn a_closed_directory_is_skipped() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/p/closed:1", 2);
    mode(&tree.path("root/p"), 0o700);
    let words = "metrics --root TOP/root --no-counters";
    let user = command(&tree, words).uid(65_534).gid(65_534).spawn().unwrap();
    let output = finish(user);
    assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""));
    for (metric, expected) in [("root_readable", 1.0), ("images", 1.0)] {
        let sample = format!("sifcache_{metric}{{root=\"{}\"}}", tree.text("root"));
        assert_eq!(value(&output.stdout, &sample), Some(expected), "{}", output.stdout);
    }
}

#[test]
fn images_in_use_and_kept_ones() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/o/old:1", 2);
    tree.image("root/o/used:1", 3);
    tree.image("root/o/gone:1", 4);
    tree.file("root/NOTES", b"");
    let old = std::time::SystemTime::now() - Duration::from_secs(100 * 86_400);
    for name in ["old:1", "used:1"] {
        let file = OpenOptions::new().write(true).open(tree.path(format!("root/o/{name}")));
        file.unwrap().set_modified(old).unwrap();
    }
    let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
    let used = format!("{{\"last\":{{\"o/used:1\":\"{yesterday}\"}}}}");
    assert_eq!(run(&tree, "gc --root TOP/root --json").status, Some(0));
    tree.file("root/.sifcache/last_used.json", used.as_bytes());
    assert_eq!(run(&tree, "remove --root TOP/root --yes o/gone:1").status, Some(0));
    let text = run(&tree, "metrics --root TOP/root --no-counters --unused-for 60d").stdout;
    let gauge =
        |name: &str| value(&text, &format!("sifcache_{name}{{root=\"{}\"}}", tree.text("root")));
    let size = fs::metadata(tree.path("root/o/old:1")).unwrap().len() as f64;
    assert_eq!((gauge("images"), gauge("image_bytes")), (Some(3.0), Some(3.0 * size)));
    assert_eq!((gauge("unused_images"), gauge("unused_bytes")), (Some(1.0), Some(size)));
    assert_eq!((gauge("invalid_files"), gauge("kept_inodes")), (Some(1.0), Some(3.0)));
    assert!(gauge("kept_bytes") >= Some(size), "{text}");
    assert!(
        gauge("root_free_bytes") > Some(0.0) && gauge("root_free_bytes") < gauge("root_size_bytes")
    );
    assert_eq!(value(&text, "sifcache_unused_after_seconds"), Some(60.0 * 86_400.0));
    let version = format!("sifcache_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&text, &version), Some(1.0));
    tree.file("root/.sifcache/queue/beat", b"1795489395\n");
    let text = run(&tree, "metrics --root TOP/root --no-counters").stdout;
    let beat =
        format!("sifcache_fill_heartbeat_timestamp_seconds{{root=\"{}\"}}", tree.text("root"));
    assert_eq!(value(&text, &beat), Some(1_795_489_395.0));
}

/// A sample about the last run of a command.
fn last(tree: &Tree, name: &str, command: &str) -> Option<f64> {
    let text = run(tree, "metrics --root TOP/root --no-counters").stdout;
    let root = tree.text("root");
    value(&text, &format!("sifcache_last_{name}{{root=\"{root}\",command=\"{command}\"}}"))
}

#[test]
fn commands_record_their_last_run() {
    let Some(tree) = Tree::new() else { return };
    tree.file("fill.toml", b"allow = [\"**\"]\n");
    tree.file("empty", b"2026-11-24T03:03:15Z n1 cron: x\n");
    let apptainer =
        tree.file("bin/apptainer", b"#!/bin/sh\n[ $1 = --version ] && echo test 1; exit 1\n");
    mode(&apptainer, 0o755);
    for (command, words, status) in [
        ("gc", "gc --root TOP/root --dry-run", None),
        ("gc", "gc --root TOP/root", Some(0)),
        ("gc", "gc --root TOP/root --unused-for 1d --yes", Some(69)),
        ("gc", "gc --root TOP/root --dry-run", Some(69)),
        ("add", "add --root TOP/root --dry-run o/none:1", None),
        ("add", "add --root TOP/root o/good:1", Some(0)),
        ("add", "add --root TOP/root 127.0.0.1:1/o/none:1", Some(69)),
        ("refresh", "refresh --root TOP/root --all --check", None),
        ("refresh", "refresh --root TOP/root --all", Some(69)),
        (
            "fill",
            "fill --root TOP/root --policy TOP/fill.toml --log TOP/empty --once --dry-run",
            None,
        ),
        ("fill", "fill --root TOP/root --policy TOP/fill.toml --log TOP/empty --once", Some(0)),
    ] {
        let output = run(&tree, words);
        let exit = last(&tree, "run_exit_status", command);
        assert_eq!(exit, status.map(f64::from), "{words}: {} {}", output.stdout, output.stderr);
    }
    let now = jiff::Timestamp::now().as_second() as f64;
    let ended = last(&tree, "run_timestamp_seconds", "gc");
    assert!(ended > Some(now - 600.0) && ended <= Some(now + 1.0), "{ended:?}");
    assert!(last(&tree, "success_timestamp_seconds", "gc") <= ended);
    assert!(last(&tree, "success_timestamp_seconds", "gc").is_some());
    assert!(last(&tree, "run_duration_seconds", "gc") >= Some(0.0));
}

/// A command ends as before if its record cannot be written.
#[test]
fn a_record_that_cannot_be_written() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/.sifcache/runs", b"in the way");
    let output = run(&tree, "gc --root TOP/root");
    assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""));
    assert_eq!(last(&tree, "run_exit_status", "gc"), None);
}

/// A registry that returns the same digest for every tag.
fn registry() -> Server {
    Server::new(move |request| {
        let response = match request.line.as_str() {
            "GET /v2/" => Response::new(200, "{}"),
            _ => Response::new(200, "").with("Docker-Content-Digest", DIGEST),
        };
        Deed::Answer(response)
    })
}

/// Imports an image with a digest, as if it had been added at this time.
fn import(tree: &Tree, name: &str, added: &str) {
    let labels = [
        ("org.label-schema.usage.apptainer.version", "1.5.0"),
        ("org.opencontainers.image.base.name", name),
        ("org.opencontainers.image.base.digest", DIGEST),
    ];
    tree.file("new.sif", &pulled(name, &labels));
    let output = run(tree, &format!("import --root TOP/root TOP/new.sif {name}"));
    assert_eq!(output.status, Some(0), "{}", output.stderr);
    let path = tree.path(format!("root/.sifcache/metadata/{name}.json"));
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    record["added"] = added.into();
    fs::write(&path, record.to_string()).unwrap();
}

/// When the oldest tag was last compared.
fn oldest(tree: &Tree) -> Option<f64> {
    let text = run(tree, "metrics --root TOP/root --no-counters").stdout;
    let root = tree.text("root");
    value(&text, &format!("sifcache_oldest_tag_check_timestamp_seconds{{root=\"{root}\"}}"))
}

/// A tag is as old as its last pull or its last comparison. `refresh --all` does not count for a tag
/// whose registry did not answer.
#[test]
fn the_oldest_tag() {
    let Some(tree) = Tree::new() else { return };
    let server = registry();
    mode(&tree.file("bin/apptainer", b"#!/bin/sh\necho test 1\n"), 0o755);
    assert_eq!(oldest(&tree), None, "an image without a known digest cannot be compared");
    fs::remove_file(tree.path("root/o/good:1")).unwrap();
    let [up, down] = [format!("{}/o/i:1", server.address), "127.0.0.1:1/o/down:1".to_owned()];
    import(&tree, &up, "2026-01-01T00:00:00Z");
    let seconds = |time: &str| Some(time.parse::<jiff::Timestamp>().unwrap().as_second() as f64);
    assert_eq!(oldest(&tree), seconds("2026-01-01T00:00:00Z"));
    let begun = Some(jiff::Timestamp::now().as_second() as f64);
    let refresh = || run(&tree, "refresh --root TOP/root --all --no-https").status;
    assert_eq!(refresh(), Some(0));
    let compared = oldest(&tree);
    assert!(compared >= begun, "{compared:?}");
    thread::sleep(Duration::from_millis(1100));
    import(&tree, &down, "2026-02-02T00:00:00Z");
    assert_eq!(refresh(), Some(1));
    assert_eq!(oldest(&tree), compared, "the registry of one tag did not answer");
    fs::remove_file(tree.path(format!("root/{down}"))).unwrap();
    assert!(oldest(&tree) > compared, "the other tag was compared again");
}

/// At most as many system calls on files as `list`, and a few more for each root.
#[test]
fn a_run_costs_about_as_much_as_list() {
    let Some(tree) = Tree::new() else { return };
    for number in 0..200 {
        tree.image(format!("root/o/i:{number}"), 1);
    }
    let calls = |words: &str| {
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-e", "trace=%file,%desc", "-o"]).arg(tree.path("trace"));
        traced.arg(env!("CARGO_BIN_EXE_sifcache"));
        traced.args(words.split(' ').map(|word| word.replace("TOP", &tree.text(""))));
        let Ok(output) = traced.stdin(Stdio::null()).output() else { return None };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = fs::read_to_string(tree.path("trace")).unwrap();
        // Only what concerns the images: the program, its libraries and its output differ.
        Some(text.lines().filter(|line| line.contains("i:1")).count())
    };
    let Some(list) = calls("list --root TOP/root") else {
        eprintln!("skipped: needs strace");
        return;
    };
    let metrics = calls("metrics --root TOP/root --no-counters").unwrap();
    assert!(list > 100 && metrics <= list, "{metrics} calls, and {list} of list");
}
