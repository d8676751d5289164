//! `sifcache remove` and `sifcache gc`.

use super::{done, objects, sifcache, started};
use crate::kit::{IMAGE, OTHER, SHARED, Site, inside, tree, with_hub};
use std::fs::{self, File, FileTimes};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

fn kept(site: &Site) -> Vec<PathBuf> {
    let root = site.at("ctl", SHARED);
    tree::files(&root.join(".sifcache/kept"))
}

/// Sets the modification time of a file to `days` days ago.
fn age(site: &Site, name: &str, days: u64) {
    let file = File::options().write(true).open(site.at("ctl", SHARED).join(name)).unwrap();
    let then = SystemTime::now() - Duration::from_secs(days * 86_400);
    file.set_times(FileTimes::new().set_modified(then)).unwrap();
}

#[test]
#[ignore = "needs a testbed: make test"]
fn removed_images_are_kept_and_can_be_restored() {
    let site = Site::new("");
    let digest = format!("sha256:{}", "0f".repeat(32));
    done(&site, &["import", &inside(IMAGE), "o/i:1", "--digest", &digest]);
    site.store(OTHER, "o/Odd (copy).sif");
    let odd = format!("{SHARED}/o/Odd (copy).sif");
    // Without a terminal the question cannot be answered, so nothing is changed.
    let output = sifcache(&site, &["remove", "o/i:1"]);
    assert_eq!(output.status, 64, "{output:#?}");
    let dry = done(&site, &["remove", "--dry-run", "o/i:1", &odd]);
    assert!(dry.stdout.contains("2 to remove, 2.16 MiB"), "{dry:#?}");
    assert_eq!(tree::files(&site.at("ctl", SHARED).join("o")).len(), 3);
    let output = done(&site, &["remove", "--yes", "o/i:1", &odd]);
    assert!(output.stdout.contains("2 removed, 2.16 MiB, kept in "), "{output:#?}");
    started(&site, "o/i:1").tried_the_registry();
    started(&site, &format!("o/i@{digest}")).tried_the_registry();
    // Empty directories are also removed.
    assert!(!site.at("ctl", SHARED).join("o").exists());
    let root = site.at("ctl", SHARED);
    assert!(tree::files(&root.join(".sifcache/metadata")).is_empty());
    let back = kept(&site).into_iter().find(|path| path.ends_with("o/i:1")).unwrap();
    fs::create_dir(root.join("o")).unwrap();
    fs::rename(back, root.join("o/i:1")).unwrap();
    started(&site, "o/i:1").ran(IMAGE);
    let output = sifcache(&site, &["remove", "--yes", "o/nothing"]);
    assert_eq!(output.status, 1, "{output:#?}");
    assert!(output.stderr.contains("o/nothing is not in /shared/sif"), "{output:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn asks_on_a_terminal() {
    let site = Site::new("");
    done(&site, &["import", &inside(IMAGE), "o/i:1"]);
    let ask = |answer: &str| {
        let words = ["script", "--quiet", "--return", "-c", "sifcache remove o/i:1", "/dev/null"];
        site.exec(&[], &words, answer)
    };
    let output = ask("n\n");
    assert_eq!(output.status, 1, "{output:#?}");
    assert!(output.stdout.contains("Go ahead? [y/N]"), "{output:#?}");
    started(&site, "o/i:1").ran(IMAGE);
    assert_eq!(ask("y\n").status, 0);
    started(&site, "o/i:1").tried_the_registry();
}

#[test]
#[ignore = "needs a testbed: make test"]
fn kept_files_expire() {
    let site = Site::new("");
    for (name, keep) in [("o/i:1", "4s"), ("o/i:2", "30d"), ("o/i:3", "0d")] {
        done(&site, &["import", &inside(IMAGE), name]);
        done(&site, &["remove", "--yes", "--keep", keep, name]);
    }
    assert_eq!(kept(&site).len(), 2);
    std::thread::sleep(Duration::from_millis(4_000));
    // Every command that changes the cache also cleans up.
    let output = done(&site, &["gc"]);
    assert!(output.stdout.contains("1 kept; the next is deleted on "), "{output:#?}");
    assert_eq!(kept(&site).len(), 1);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn gc_selects_by_age_and_total_size() {
    let site = Site::new("");
    for (name, days) in [("o/a:1", 100), ("o/b:1", 50), ("p/c:1", 200), ("o/d:1", 1)] {
        site.store(IMAGE, name);
        age(&site, name, days);
    }
    let chosen = |words: &[&str]| -> Vec<String> {
        let words = [&["gc", "--dry-run", "--json"], words].concat();
        let [object] = objects(&done(&site, &words)).try_into().unwrap();
        assert_eq!(object["dry_run"], true);
        let removed = object["removed"].as_array().unwrap();
        removed.iter().map(|one| one["reference"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(chosen(&["--older-than", "90d"]), ["p/c:1", "o/a:1"]);
    assert_eq!(chosen(&["--older-than", "90d", "--repo", "o"]), ["o/a:1"]);
    // Three images take up 3.25 MiB.
    assert_eq!(chosen(&["--max-size", "3.3M"]), ["p/c:1"]);
    assert_eq!(chosen(&["--max-size", "1M", "--older-than", "60d"]), ["p/c:1", "o/a:1"]);
    assert_eq!(chosen(&["--max-size", "10M"]), [] as [&str; 0]);
    assert_eq!(chosen(&[]), [] as [&str; 0]);
    let output = sifcache(&site, &["gc", "--unused-for", "60d", "--dry-run"]);
    assert_eq!(output.status, 69, "{output:#?}");
    assert!(output.stderr.contains("there are no records of image use"), "{output:#?}");
    let output = done(&site, &["gc", "--older-than", "90d", "--yes"]);
    assert!(output.stdout.contains("2 removed, 2.16 MiB"), "{output:#?}");
    assert_eq!(tree::check(&site.at("ctl", SHARED)), ["o/b:1", "o/d:1"]);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn recently_used_images_stay() {
    let site = Site::new("");
    for name in ["o/a:1", "o/b:1", "o/new:1"] {
        site.store(IMAGE, name);
        age(&site, name, if name == "o/new:1" { 1 } else { 100 });
    }
    let day = |days: i64| {
        let time = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days);
        time.to_string()
    };
    let hit = |days, name: &str| {
        let line = "event=hit job=1 step=0 node=0 tasks=1 uid=1001";
        format!(
            "{} n1 sifcache: {line} reference=docker.io/{name} image=/shared/sif/{name}\n",
            day(days)
        )
    };
    // Each node writes a log line every day.
    let up =
        |days| format!("{0} n1 systemd: up\n{0} n2 systemd: up\n{0} n3 systemd: up\n", day(days));
    let log = |from: i64| -> String {
        let lines = (1..=from).rev().map(|days| match days {
            80 => hit(80, "o/a:1") + &up(80),
            20 => hit(20, "o/b:1") + &up(20),
            days => up(days),
        });
        lines.collect()
    };
    let now = up(0);
    let gc = |log: String| {
        fs::write(site.at("ctl", "/home/syslog"), log).unwrap();
        let words = ["gc", "--unused-for", "60d", "--dry-run", "--json", "--log", "/home/syslog"];
        sifcache(&site, &words)
    };
    // The log begins after the start of the period that --unused-for needs.
    let output = gc(format!("{}{now}", log(30)));
    assert_eq!(output.status, 69, "{output:#?}");
    assert!(output.stderr.contains("records of image use begin on"), "{output:#?}");
    // The log of only one node, which is what `hits` on a node would read.
    let one: String = format!("{}{now}", log(90))
        .lines()
        .filter(|line| line.contains(" n1 "))
        .fold(String::new(), |log, line| log + line + "\n");
    let output = gc(one);
    assert_eq!(output.status, 69, "{output:#?}");
    assert!(output.stderr.contains("there is no log of n2, n3"), "{output:#?}");
    let output = gc(format!("{}{now}", log(90)));
    assert_eq!(output.status, 0, "{output:#?}");
    let removed = &objects(&output)[0]["removed"];
    assert_eq!(removed.as_array().unwrap().len(), 1, "{output:#?}");
    assert_eq!(removed[0]["reference"], "o/a:1");
    // After `hits` has saved the usage, `gc` does not need the log.
    done(&site, &["hits", "--log", "/home/syslog"]);
    let output = done(&site, &["gc", "--unused-for", "60d", "--dry-run"]);
    assert!(
        output.stdout.contains("o/a:1") && output.stdout.contains("1 to remove"),
        "{output:#?}"
    );
    let list = done(&site, &["list", "--sort", "used"]);
    assert!(list.stdout.contains("80 d") && list.stdout.contains("20 d"), "{list:#?}");
}

/// One file under two tags is removed together with the last tag.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_file_with_two_tags() {
    let site = Site::new("");
    with_hub(|| {
        crate::kit::registry::move_tag(IMAGE, "library/two:1");
        crate::kit::registry::move_tag(IMAGE, "library/two:2");
        done(&site, &["add", "two:1", "two:2", "--jobs", "1"])
    });
    let output = done(&site, &["remove", "--yes", "two:1"]);
    assert!(output.stdout.starts_with("removed  two:1  0 B"), "{output:#?}");
    assert_eq!(tree::check(&site.at("ctl", SHARED)).len(), 2);
    started(&site, "two:2").ran(IMAGE);
    let output = done(&site, &["remove", "--yes", "two:2"]);
    assert!(output.stdout.starts_with("removed  two:2  1."), "{output:#?}");
    assert!(tree::check(&site.at("ctl", SHARED)).is_empty());
}
