//! The figures, compared with independent counts of the same lines and with other subcommands.

use super::{ago, hit, line, report, rows, run, script, text};
use crate::tree::Tree;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};

const LOG: &str = "--root TOP/root --log TOP/log";

/// Launches, pulls and builds.
fn numbers(commands: &Value) -> [u64; 3] {
    ["launches", "pulls", "builds"].map(|key| commands[key].as_u64().unwrap())
}

fn add(sum: &mut [u64; 3], kind: usize, count: u64) {
    sum[kind] += count;
}

/// What a test counts by itself: hits and misses by day and by host, and the bytes of hits by day.
#[derive(Default)]
struct Counted {
    days: BTreeMap<String, [[u64; 3]; 2]>,
    hosts: BTreeMap<String, [[u64; 3]; 2]>,
    bytes: BTreeMap<String, u64>,
}

/// A log of several megabytes, so that several threads read it, and what it contains.
fn large_log(tree: &Tree, size: u64) -> Counted {
    let (mut counted, mut log) = (Counted::default(), String::new());
    let begin = "2026-01-10T00:00:00Z".parse::<Timestamp>().unwrap();
    for number in 0..24_000_u32 {
        // One line every 100 seconds: 27 days, and the order is not that of the times.
        let time = begin + SignedDuration::from_secs(i64::from(number ^ 5) * 100);
        let (host, kind) = (format!("n{}", number % 7), usize::try_from(number % 3).unwrap());
        let tasks = u64::from(1 + number % 4);
        let more = [format!("tasks={tasks}"), "via=pull".into(), "via=build".into()][kind].clone();
        let is_hit = number % 5 > 0;
        let fields = match is_hit {
            true => hit(tree, number / 9, 1000 + number % 11, &more, "o/good:1"),
            false => {
                format!("miss job=7 {more} uid=1001 reference=docker.io/o/none:{}", number % 2)
            }
        };
        log.push_str(&line(time, &format!("{host}.example.org"), &fields));
        log.push_str(&format!("{time} {host} systemd[1]: Started a session of sifcache users.\n"));
        let count = if kind == 0 { tasks } else { 1 };
        let day = time.to_string().get(..10).unwrap().to_owned();
        let side = usize::from(!is_hit);
        add(&mut counted.days.entry(day.clone()).or_default()[side], kind, count);
        add(&mut counted.hosts.entry(host).or_default()[side], kind, count);
        *counted.bytes.entry(day).or_default() += if is_hit { count * size } else { 0 };
    }
    assert!(log.len() > 4 << 20, "{}", log.len());
    tree.file("log", log.as_bytes());
    counted
}

#[test]
fn days_and_nodes_are_counted_in_one_pass() {
    let Some(tree) = Tree::new() else { return };
    let size = fs::metadata(tree.path("root/o/good:1")).unwrap().len();
    let counted = large_log(&tree, size);
    let report = report(&tree, LOG);
    let days = rows(&report["days"]["data"]);
    assert_eq!(days.len(), counted.days.len());
    for (day, (name, expected)) in days.iter().zip(&counted.days) {
        assert_eq!(day["day"], name.as_str());
        assert_eq!([&day["hits"], &day["misses"]].map(numbers), *expected, "{name}");
        assert_eq!(day["saved"], json!({"bytes": counted.bytes[name], "unknown": 0}), "{name}");
        assert_eq!(day["hosts"], 7, "{name}");
    }
    let nodes = rows(&report["nodes"]["data"]);
    let expected: Vec<(&str, [[u64; 3]; 2])> =
        counted.hosts.iter().map(|(name, sums)| (name.as_str(), *sums)).collect();
    let node = |node: &'_ Value| [&node["hits"], &node["misses"]].map(numbers);
    let found: Vec<(&str, [[u64; 3]; 2])> =
        nodes.iter().map(|row| (text(&row["node"]), node(row))).collect();
    assert_eq!(found, expected);
    let total: u64 = counted.bytes.values().sum();
    let totals = &report["totals"]["data"];
    assert_eq!(totals["saved"], json!({"bytes": total, "unknown": 0}));
    // 11 users each have one image.
    assert_eq!(totals["saved_once_per_user"], 11 * size);
    let image = &report["images"]["data"]["rows"][0];
    assert_eq!((&image["saved"]["bytes"], &image["hits"]), (&json!(total), &totals["hits"]));
}

/// The same lines as `hits` and `misses` count, also with `--since` and `--until`.
#[test]
fn the_sums_are_those_of_hits_and_misses() {
    let Some(tree) = Tree::new() else { return };
    large_log(&tree, 0);
    for period in ["", " --since 2026-01-12T03:00:00Z --until 2026-01-20T21:30:00Z"] {
        let report = report(&tree, &format!("{LOG}{period}"));
        let other = |command: &str| -> Value {
            let output = run(&tree, &format!("{command} --json {LOG}{period}"));
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let sum = |rows: &[Value]| {
            let mut sum = [0; 3];
            for row in rows {
                numbers(row).iter().enumerate().for_each(|(kind, n)| add(&mut sum, kind, *n));
            }
            sum
        };
        let (hits, misses) = (other("hits --no-save"), other("misses"));
        let expected = [sum(rows(&hits["hits"])), sum(rows(&misses["misses"]))];
        assert!(expected.iter().flatten().all(|number| *number > 500), "{expected:?}");
        let totals = &report["totals"]["data"];
        assert_eq!([&totals["hits"], &totals["misses"]].map(numbers), expected, "{period}");
        for list in ["days", "nodes"] {
            let of = |key: &str| {
                let all: Vec<Value> =
                    rows(&report[list]["data"]).iter().map(|row| row[key].clone()).collect();
                sum(&all)
            };
            assert_eq!([of("hits"), of("misses")], expected, "{list}{period}");
        }
        let image = &report["images"]["data"]["rows"][0];
        for key in ["jobs", "users"] {
            assert_eq!(image[key], hits["hits"][0][key], "{key}{period}");
        }
        assert_eq!(image["last_served"], hits["hits"][0]["last"]);
        let reference = |row: &Value| text(&row["reference"]).to_owned();
        let missing: Vec<String> =
            rows(&report["misses"]["data"]["list"]["rows"]).iter().map(reference).collect();
        let expected: Vec<String> = rows(&misses["misses"]).iter().map(reference).collect();
        assert_eq!(missing, expected);
    }
}

/// A day begins at midnight of this host's time zone, and can have 23 hours.
#[test]
fn days_are_those_of_the_time_zone() {
    let Some(tree) = Tree::new() else { return };
    let times = [
        "2026-03-28T22:59:59Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T21:59:59Z",
        "2026-03-29T22:00:00Z",
    ];
    let log: String = times
        .iter()
        .map(|time| line(time.parse().unwrap(), "n1", &hit(&tree, 1, 1001, "tasks=1", "o/good:1")))
        .collect();
    tree.file("log", log.as_bytes());
    let words = format!("report --json {LOG}").replace("TOP/", &tree.text(""));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sifcache"));
    let output = command.args(words.split(' ')).env("TZ", "Europe/Berlin").output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["time_zone"], "Europe/Berlin");
    let days: Vec<(&str, u64)> = rows(&report["days"]["data"])
        .iter()
        .map(|day| (text(&day["day"]), numbers(&day["hits"])[0]))
        .collect();
    assert_eq!(days, [("2026-03-28", 1), ("2026-03-29", 2), ("2026-03-30", 1)]);
}

/// The day of `--until` is not in the period, so it has no row.
#[test]
fn the_day_of_until_is_left_out() {
    let Some(tree) = Tree::new() else { return };
    let log: String = ["2026-03-01T10:00:00Z", "2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z"]
        .iter()
        .map(|time| line(time.parse().unwrap(), "n1", &hit(&tree, 1, 1001, "tasks=1", "o/good:1")))
        .collect();
    tree.file("log", log.as_bytes());
    let days = |until: &str| -> Vec<String> {
        let report = report(&tree, &format!("{LOG} --until {until}"));
        rows(&report["days"]["data"]).iter().map(|day| text(&day["day"]).to_owned()).collect()
    };
    assert_eq!(days("2026-03-03"), ["2026-03-01", "2026-03-02"]);
    assert_eq!(days("2026-03-03T00:00:01Z"), ["2026-03-01", "2026-03-02", "2026-03-03"]);
}

/// A removed image has a size as long as its file is kept; and a gap in the log has no hosts.
#[test]
fn sizes_of_removed_images_and_days_without_a_log() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/o/kept:1", 2);
    let size = |name: &str| fs::metadata(tree.path(name)).unwrap().len();
    let (good, kept) = (size("root/o/good:1"), size("root/o/kept:1"));
    assert!(run(&tree, "remove --root TOP/root --yes o/kept:1").status.success());
    let hit = |day: i64, tasks: u32, name: &str| {
        line(ago(day, 0), "n1", &hit(&tree, 1, 1001, &format!("tasks={tasks}"), name))
    };
    // A log can contain any path.
    let outside = "hit job=1 tasks=1 uid=7 reference=docker.io/o/y:1 image=";
    let outside = format!("{outside}{}/../../../etc/passwd", tree.text("root"));
    let log = [
        hit(9, 2, "o/good:1"),
        hit(9, 3, "o/kept:1"),
        hit(9, 5, "o/gone:1"),
        line(ago(5, 0), "n1", &outside),
        line(
            ago(5, 0),
            "n1",
            "hit job=1 tasks=1 uid=7 reference=docker.io/o/x:1 image=/etc/passwd",
        ),
    ];
    tree.file("log", log.concat().as_bytes());
    let report = report(&tree, LOG);
    let days = rows(&report["days"]["data"]);
    let saved: Vec<&Value> = days.iter().map(|day| &day["saved"]).collect();
    assert_eq!(saved[0], &json!({"bytes": 2 * good + 3 * kept, "unknown": 5}));
    assert_eq!(saved[4], &json!({"bytes": 0, "unknown": 2}));
    let hosts: Vec<u64> = days.iter().map(|day| day["hosts"].as_u64().unwrap()).collect();
    assert_eq!(hosts, [1, 0, 0, 0, 1]);
    let images = rows(&report["images"]["data"]["rows"]);
    let facts = |name: &str| {
        let found = images.iter().find(|row| row["references"] == json!([name])).unwrap();
        (found["present"].clone(), found["size"].clone(), found["saved"]["unknown"].clone())
    };
    assert_eq!(facts("o/good:1"), (json!(true), json!(good), json!(0)));
    assert_eq!(facts("o/kept:1"), (json!(false), json!(kept), json!(0)));
    assert_eq!(facts("o/gone:1"), (json!(false), Value::Null, json!(5)));
    assert_eq!(facts("o/x:1"), (json!(false), Value::Null, json!(1)));
}

#[test]
fn growth_and_unused_images_are_those_of_list_and_gc() {
    let Some(tree) = Tree::new() else { return };
    for (name, days) in [("o/old:1", 100), ("o/old:2", 100), ("o/used:1", 100), ("o/new:1", 3)] {
        let path = tree.image(format!("root/{name}"), 2);
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(ago(days, 1).into()).unwrap();
    }
    fs::hard_link(tree.path("root/o/old:1"), tree.path("root/o/old:3")).unwrap();
    let mut log: String =
        (0..=90).rev().map(|day| format!("{} n1 cron: x\n", ago(day, 0))).collect();
    log.push_str(&line(ago(0, 0), "n1", &hit(&tree, 1, 1001, "tasks=1", "o/used:1")));
    tree.file("log", log.as_bytes());
    let report = report(&tree, &format!("{LOG} --unused-for 80d"));
    let unused = &report["unused"]["data"];
    assert_eq!((&unused["images"], &unused["unproven"]), (&json!(2), &Value::Null), "{unused}");
    let names: Vec<&str> =
        rows(&unused["list"]["rows"]).iter().map(|row| text(&row["reference"])).collect();
    assert_eq!(names, ["o/old:1", "o/old:2"]);
    // The command itself, as JSON.
    let command = text(&unused["commands"][0]).strip_prefix("sifcache ").unwrap();
    let gc: Value =
        serde_json::from_slice(&run(&tree, &format!("{command} --json")).stdout).unwrap();
    assert_eq!(gc["removed"].as_array().unwrap().len(), 2, "{gc}");
    let list: Value =
        serde_json::from_slice(&run(&tree, "list --json --root TOP/root").stdout).unwrap();
    let cache = &report["cache"]["data"];
    assert_eq!(
        (&cache["images"], &cache["bytes"]),
        (&list["total"]["images"], &list["total"]["size"])
    );
    let growth: Vec<(u64, u64)> = rows(&cache["growth"])
        .iter()
        .map(|day| (day["added_images"].as_u64().unwrap(), day["images"].as_u64().unwrap()))
        .collect();
    assert_eq!(growth, [(3, 3), (1, 4), (1, 5)]);
    assert_eq!(cache["growth"][2]["bytes"], cache["bytes"]);
}

/// Without older lines, nothing is proven.
#[test]
fn young_logs_prove_nothing() {
    let Some(tree) = Tree::new() else { return };
    let path = tree.image("root/o/old:1", 2);
    File::options().write(true).open(path).unwrap().set_modified(ago(100, 1).into()).unwrap();
    let hit = line(ago(0, 0), "n1", &hit(&tree, 1, 1001, "tasks=1", "o/good:1"));
    tree.file("log", format!("{} n1 cron: x\n{hit}", ago(1, 0)).as_bytes());
    let report = report(&tree, &format!("{LOG} --unused-for 80d"));
    assert_eq!(report["unused"]["data"]["images"], 1);
    let why = text(&report["unused"]["data"]["unproven"]);
    assert!(why.contains("records of image use begin on"), "{why}");
}

#[test]
fn partitions_are_those_of_sinfo() {
    let Some(tree) = Tree::new() else { return };
    let miss = "miss job=1 tasks=4 uid=1001 reference=docker.io/o/none:1".to_owned();
    let one = hit(&tree, 1, 1001, "tasks=2", "o/good:1");
    let log = [
        line(ago(0, 1), "n1", &one),
        line(ago(0, 1), "N2.example.org", &one),
        line(ago(0, 1), "n2", &miss),
        line(ago(0, 1), "login", &one),
        format!("{} files cron: x\n", ago(0, 1)),
    ];
    tree.file("log", log.concat().as_bytes());
    let partitions = |report: &Value| -> Vec<(String, u64, u64, u64, u64)> {
        let row = |row: &Value| {
            let [nodes, in_logs] = ["nodes", "nodes_in_logs"].map(|key| row[key].as_u64().unwrap());
            let [hits, misses] = ["hits", "misses"].map(|key| numbers(&row[key])[0]);
            (text(&row["partition"]).to_owned(), nodes, in_logs, hits, misses)
        };
        rows(&report["partitions"]["data"]).iter().map(row).collect()
    };
    script(&tree, "sinfo", "printf 'n1|idle|cpu\\nn2|mixed|cpu\\nn2|mixed|gpu\\nn3|down*|gpu\\n'");
    let found = report(&tree, LOG);
    let expected = [("cpu".to_owned(), 2, 2, 4, 4), ("gpu".to_owned(), 2, 1, 2, 4)];
    assert_eq!(partitions(&found), expected);
    assert!(text(&found["partitions"]["notes"][1]).contains("1 host"), "{found}");
    let nodes = rows(&found["nodes"]["data"]);
    let names: Vec<&str> = nodes.iter().map(|node| text(&node["node"])).collect();
    assert_eq!(names, ["login", "n1", "n2"]);
    assert_eq!(nodes[2]["partitions"], json!(["cpu", "gpu"]));
    script(&tree, "sinfo", "echo 'sinfo: error: no controller' >&2; exit 1");
    let without = report(&tree, LOG);
    assert_eq!(
        without["partitions"]["missing"],
        "the partitions are unknown: sinfo: error: no controller"
    );
    assert!(partitions(&without).is_empty());
    assert_eq!(rows(&without["nodes"]["data"]).len(), 3);
}

/// A log of misses: of a truncated image, of one that two users want, of one that is there now, and
/// one of a node without an image root.
fn log_of_misses(tree: &Tree, cut: &str) {
    let mut log = String::new();
    for (user, fields) in [
        (1, format!("reference=docker.io/o/cut:1 refused={cut} why=truncated")),
        (2, "reference=docker.io/o/wanted:1".to_owned()),
        (3, "reference=docker.io/o/wanted:1".to_owned()),
        (4, "reference=docker.io/o/good:1".to_owned()),
        (5, "reference=docker.io/o/far:1 refused=/no/root why=no-root".to_owned()),
    ] {
        let fields = format!("miss job={user} tasks=1 uid=100{user} {fields}");
        log.push_str(&line(ago(0, 1), "n1", &fields));
    }
    tree.file("log", log.as_bytes());
}

/// Reasons are those of the log lines, and a reference that was added since is not missing.
#[test]
fn misses_have_reasons_and_commands() {
    let Some(tree) = Tree::new() else { return };
    let cut = tree.text("root/o/cut:1");
    fs::write(&cut, &fs::read(tree.path("root/o/good:1")).unwrap()[..200]).unwrap();
    log_of_misses(&tree, &cut);
    let report = report(&tree, LOG);
    let misses = &report["misses"]["data"];
    let (root, log) = (tree.text("root"), tree.text("log"));
    let found: Vec<(&str, &str)> = rows(&misses["list"]["rows"])
        .iter()
        .map(|row| (text(&row["reference"]), text(&row["command"])))
        .collect();
    let (add, verify, doctor) = (
        format!("sifcache add --root {root} o/wanted:1"),
        format!("sifcache verify --root {root} o/cut:1"),
        format!("sifcache doctor --root {root}"),
    );
    let expected = [("o/wanted:1", &add), ("o/cut:1", &verify), ("o/far:1", &doctor)];
    assert_eq!(found, expected.map(|(name, command)| (name, command.as_str())));
    assert_eq!(misses["added_since"], 1);
    let reasons = &misses["list"]["rows"][1]["reasons"];
    assert_eq!(*reasons, json!([{"kind": "refused", "path": cut, "why": "truncated"}]));
    let all = format!(
        "sifcache misses --root {root} --log {log} --min-users 2 --refs | sifcache add --root {root} --from -"
    );
    assert_eq!(misses["command"], all.as_str());
    // That list contains only the reference of two users.
    let list = all.split(" | ").next().unwrap().strip_prefix("sifcache ").unwrap();
    assert_eq!(String::from_utf8(run(&tree, list).stdout).unwrap(), "o/wanted:1\n");
    // A root that a node lacks is a problem of its own.
    let kinds: Vec<(&str, &str)> = rows(&report["problems"]["data"])
        .iter()
        .map(|problem| (text(&problem["kind"]), text(&problem["subject"])))
        .collect();
    assert!(kinds.contains(&("no-root", "/no/root")), "{kinds:?}");
    // verify reports this file, so it is not reported again.
    assert_eq!(kinds.iter().filter(|(_, subject)| *subject == cut).count(), 1, "{kinds:?}");
}
