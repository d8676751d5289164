//! Counts of logs that are rotated in every way, with runs that are killed.

use super::{Read, read};
use crate::metrics::counters::Limits;
use crate::metrics::page::{Format, Page};
use crate::metrics::state::Saved;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const LIMITS: Limits = Limits { nodes: 9, references: 0 };

/// A log, and the state file.
struct Site {
    directory: TempDir,
    saved: Saved,
    written: u64,
    rotations: usize,
    /// The rest of a line that is incomplete so far.
    rest: String,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let saved = Saved::new(Timestamp::now());
        Self { directory, saved, written: 0, rotations: 0, rest: String::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn line() -> String {
        let now = Timestamp::now();
        format!("{now} n1 sifcache: event=miss tasks=1 uid=1001 reference=docker.io/o/i:1\n")
    }

    /// Writes lines to a file of the log.
    fn write(&mut self, name: &str, count: u64) {
        self.written += count;
        for _ in 0..count {
            self.append(name, &Self::line());
            self.append(name, "2026-11-24T03:03:15Z n1 cron: another program\n");
        }
    }

    fn begin(&mut self) {
        let line = Self::line();
        let (begin, rest) = line.split_at(line.len() / 2);
        self.append("log", begin);
        self.rest = rest.to_owned();
        self.written += 1;
    }

    fn complete(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.append("log", &rest);
        }
    }

    fn run(&self, saved: &mut Saved) -> Read {
        read(saved, &[self.path("log")], self.saved.start, LIMITS).unwrap()
    }

    /// A run; it is killed before the state is saved, or as soon as it is.
    fn save(&mut self, is_killed: bool) -> Read {
        let text = serde_json::to_string(&self.saved).unwrap();
        let mut saved: Saved = serde_json::from_str(&text).unwrap();
        let read = self.run(&mut saved);
        if !is_killed {
            self.saved = saved;
        }
        read
    }

    fn rotated(&self) -> String {
        format!("log.{}", 1000 - self.rotations)
    }

    fn step(&mut self, step: &Step) {
        let last = self.rotated();
        let last_exists = self.path(&last).exists();
        match step {
            Step::Begin if self.rest.is_empty() => self.begin(),
            Step::Begin => {}
            Step::Write(count) => {
                self.complete();
                self.write("log", *count);
            }
            Step::Rename | Step::CopyTruncate => {
                self.complete();
                self.rotations += 1;
                let (log, next) = (self.path("log"), self.path(&self.rotated()));
                match step {
                    Step::Rename => fs::rename(&log, next).unwrap(),
                    _ => drop(fs::copy(&log, next).unwrap()),
                }
                File::create(&log).unwrap();
            }
            // The daemon has not yet opened the new file.
            Step::Late if last_exists => self.write(&last, 1),
            Step::Compress if last_exists => compress(&self.path(&last)),
            Step::Late | Step::Compress => {}
            Step::Run => drop(self.save(false)),
            Step::Killed => drop(self.save(true)),
        }
    }
}

fn compress(path: &Path) {
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&fs::read(path).unwrap()).unwrap();
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let packed = path.with_extension(format!("{}.gz", path.extension().unwrap().display()));
    fs::write(&packed, gzip.finish().unwrap()).unwrap();
    // gzip keeps the time.
    File::options().append(true).open(&packed).unwrap().set_modified(modified).unwrap();
    fs::remove_file(path).unwrap();
}

/// The misses that are counted.
fn misses(saved: &Saved) -> u64 {
    let mut page = Page::default();
    saved.counters.show(&mut page);
    let text = page.text(Format::Prometheus);
    let sample = "sifcache_launches_total{path=\"task\",outcome=\"miss\"} ";
    text.lines().find_map(|line| line.strip_prefix(sample)).unwrap().parse().unwrap()
}

fn problem(saved: &Saved, problem: &str) -> u64 {
    let mut page = Page::default();
    saved.counters.show(&mut page);
    let sample = format!("sifcache_log_problems_total{{problem=\"{problem}\"}} ");
    page.text(Format::Prometheus)
        .lines()
        .find_map(|line| line.strip_prefix(&sample))
        .unwrap()
        .parse()
        .unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Write(u64),
    /// Part of a line, which a later step completes.
    Begin,
    Rename,
    CopyTruncate,
    Compress,
    Late,
    Run,
    /// A run that ends before its state is saved.
    Killed,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_u64..20).prop_map(Step::Write),
        1 => Just(Step::Begin),
        2 => Just(Step::Rename),
        2 => Just(Step::CopyTruncate),
        2 => Just(Step::Compress),
        2 => Just(Step::Late),
        5 => Just(Step::Run),
        2 => Just(Step::Killed),
    ];
    prop::collection::vec(step, 1..40)
}

/// The number of random histories; `PROPTEST_CASES` changes it.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    /// Whatever happens to the files and to the runs, the counter is the number of lines.
    #[test]
    fn every_line_is_counted_once(steps in steps()) {
        let mut site = Site::new();
        site.write("log", 3);
        site.save(false);
        for step in &steps {
            site.step(step);
        }
        site.complete();
        site.save(false);
        prop_assert_eq!(misses(&site.saved), site.written);
        prop_assert_eq!(problem(&site.saved, "gap"), 0);
    }
}

/// A file that was read to its end is closed as soon as it is compressed. Its last line is newer than
/// the file after it, which stays empty.
#[test]
fn a_closed_file_is_not_read_again() {
    let mut site = Site::new();
    // The times of files have a resolution of a few milliseconds.
    let tick = || std::thread::sleep(std::time::Duration::from_millis(20));
    site.write("log", 3);
    site.save(false);
    site.step(&Step::Rename);
    tick();
    site.step(&Step::Late);
    site.save(false);
    assert_eq!(misses(&site.saved), 4);
    site.step(&Step::Compress);
    site.save(false);
    tick();
    site.step(&Step::Rename);
    site.write("log", 1);
    site.save(false);
    assert_eq!((misses(&site.saved), problem(&site.saved, "gap")), (5, 0));
}

#[test]
fn the_first_run_begins_now() {
    let site = Site::new();
    let old = Site::line().replace("2026-", "2025-");
    site.append("log", &old);
    let mut saved = site.saved.clone();
    site.run(&mut saved);
    assert_eq!(misses(&saved), 0);
    // Of a node whose clock is behind: the line is new, whatever its time.
    site.append("log", &old);
    site.run(&mut saved);
    assert_eq!(misses(&saved), 1);
}

/// A log that cannot be read is counted later, from the time at which it was selected.
#[test]
fn a_log_that_does_not_exist_yet() {
    let mut site = Site::new();
    let read = site.save(false);
    let name = site.path("log").display().to_string();
    assert_eq!(read.logs, [(name.clone(), false)]);
    assert_eq!(read.notes.len(), 1, "{read:?}");
    assert!(read.notes[0].contains(&name), "{read:?}");
    site.write("log", 5);
    assert_eq!(site.save(false).logs, [(name, true)]);
    assert_eq!(misses(&site.saved), 5);
}

/// The logs of the last run are read again without --log. A file that logrotate has made of another
/// log is not read twice.
#[test]
fn logs_stay_selected() {
    let mut site = Site::new();
    site.write("log.1", 2);
    site.write("log", 3);
    let mut saved = site.saved.clone();
    let named = [site.path("log"), site.path("log.1"), site.path("log")];
    // The times of files are a few milliseconds behind the clock.
    let begin = site.saved.start - SignedDuration::from_secs(60);
    let first = read(&mut saved, &named, begin, LIMITS).unwrap();
    assert_eq!((first.logs.len(), first.notes.len(), misses(&saved)), (1, 1, 5), "{first:?}");
    site.write("log", 1);
    read(&mut saved, &[], Timestamp::now(), LIMITS).unwrap();
    assert_eq!(misses(&saved), 6);
    // Another selection replaces it; its log begins anew.
    site.write("other", 4);
    read(&mut saved, &[site.path("other")], Timestamp::now(), LIMITS).unwrap();
    assert_eq!((misses(&saved), saved.logs.len()), (6, 1));
}

/// Lines lost by a truncation are reported as a gap; later lines are counted.
#[test]
fn a_log_that_was_truncated() {
    let mut site = Site::new();
    site.write("log", 5);
    site.save(false);
    site.write("log", 1);
    fs::write(site.path("log"), "").unwrap();
    site.write("log", 2);
    site.save(false);
    assert_eq!((misses(&site.saved), problem(&site.saved, "gap")), (7, 1));
}

#[test]
fn hits_are_returned_by_image() {
    let site = Site::new();
    let now = Timestamp::now();
    let hit = "event=hit tasks=4 uid=7 reference=docker.io/o/i:1 image=/s/o/i:1";
    site.append("log", &format!("{now} n1 sifcache: {hit}\n{now} n1 sifcache: {hit}\n"));
    site.append("log", &format!("{now} n1 sifcache: message repeated 3 times: [ {hit}]\n"));
    let mut saved = site.saved.clone();
    let read = site.run(&mut saved);
    assert_eq!(read.hits, [(PathBuf::from("/s/o/i:1"), 20)].into_iter().collect());
}

#[test]
fn a_directory_without_journal_files_cannot_be_read() {
    let site = Site::new();
    let directory = site.path("logs");
    let machine = directory.join("0123456789abcdef0123456789abcdef");
    fs::create_dir_all(&machine).unwrap();
    fs::write(directory.join("slurm.log"), Site::line()).unwrap();
    let mut saved = site.saved.clone();
    let read =
        read(&mut saved, std::slice::from_ref(&directory), site.saved.start, LIMITS).unwrap();
    assert!(matches!(&read.logs[..], [(_, false)]), "{read:?}");
    assert!(read.notes[0].contains("no journal files"), "{read:?}");
}

/// Its lines are counted from the start once it is a log.
#[test]
fn a_file_that_is_no_log_cannot_be_read() {
    let site = Site::new();
    fs::write(site.path("log"), "this is no log\n").unwrap();
    let mut saved = site.saved.clone();
    for _ in 0..2 {
        let read = site.run(&mut saved);
        assert!(matches!(&read.logs[..], [(_, false)]), "{read:?}");
        assert!(read.notes[0].contains("no line starts like a log line"), "{read:?}");
    }
    fs::write(site.path("log"), "").unwrap();
    assert!(matches!(&site.run(&mut saved).logs[..], [(_, true)]));
    site.append("log", &Site::line());
    assert!(matches!(&site.run(&mut saved).logs[..], [(_, true)]));
}

/// The advice of other commands, to read a pipe with `-`, would not help here.
#[test]
fn a_pipe_has_no_place_to_go_on_from() {
    let site = Site::new();
    let mut saved = site.saved.clone();
    let read = read(&mut saved, &["/dev/null".into()], site.saved.start, LIMITS).unwrap();
    assert_eq!(read.logs, [("/dev/null".to_owned(), false)]);
    let message =
        "cannot read /dev/null: it is not a regular file, so it has no position to continue from";
    assert_eq!(read.notes, [message]);
}

/// With logrotate's `nocreate`, a run can find only rotated files. The lines of the next file are new
/// then, whatever their time is.
#[test]
fn late_lines_count_after_a_rotation_without_a_new_file() {
    let mut site = Site::new();
    site.write("log", 1);
    site.save(false);
    site.step(&Step::Rename);
    fs::remove_file(site.path("log")).unwrap();
    site.step(&Step::Compress);
    site.save(false);
    let late = Timestamp::now() - SignedDuration::from_hours(5);
    let line = format!("{late} n1 sifcache: event=miss tasks=1 uid=7 reference=docker.io/o/i:1\n");
    site.append("log", &line.repeat(3));
    site.save(false);
    assert_eq!((misses(&site.saved), problem(&site.saved, "gap")), (4, 0));
}

/// Rotated files are beside the target of a link.
#[test]
fn a_link_loses_no_line_at_a_rotation() {
    let mut site = Site::new();
    fs::create_dir(site.path("links")).unwrap();
    let link = site.path("links/log");
    std::os::unix::fs::symlink(site.path("log"), &link).unwrap();
    let mut saved = site.saved.clone();
    site.write("log", 2);
    read(&mut saved, std::slice::from_ref(&link), site.saved.start, LIMITS).unwrap();
    site.write("log", 3);
    site.step(&Step::Rename);
    site.write("log", 1);
    read(&mut saved, std::slice::from_ref(&link), site.saved.start, LIMITS).unwrap();
    assert_eq!((misses(&saved), problem(&saved, "gap")), (6, 0));
}
