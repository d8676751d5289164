mod history;

use super::super::Counters;
use super::super::batch::Batch;
use super::super::cursor::{Cursor, Position};
use super::FileLog;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

/// A log in a directory of its own, and its reader.
struct Rig {
    directory: TempDir,
    name: &'static str,
    log: Option<FileLog>,
    counters: Counters,
    lines: usize,
}

/// A miss of `o/i:NUMBER`, as rsyslog writes it.
fn line(number: usize) -> String {
    line_at(Timestamp::now(), number)
}

fn line_at(time: Timestamp, number: usize) -> String {
    format!("{time} n1 sifcache: event=miss uid=1001 reference=docker.io/o/i:{number}\n")
}

fn since() -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(24)
}

fn hours_ago(hours: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(3600 * hours)
}

fn compress(from: &Path, to: &Path) {
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&fs::read(from).unwrap()).unwrap();
    let modified = fs::metadata(from).unwrap().modified().unwrap();
    fs::write(to, gzip.finish().unwrap()).unwrap();
    // gzip keeps the time.
    File::options().append(true).open(to).unwrap().set_modified(modified).unwrap();
    fs::remove_file(from).unwrap();
}

impl Rig {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, name: "log", log: None, counters: Counters::default(), lines: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Appends lines, and returns their numbers.
    fn write(&mut self, name: &str, count: usize) -> Vec<usize> {
        let numbers: Vec<usize> = (self.lines..self.lines + count).collect();
        self.lines += count;
        let text: String = numbers.iter().map(|number| line(*number)).collect();
        self.append(name, &text);
        numbers
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn start(&mut self, saved: Option<&Position>, follow: bool) {
        let log = FileLog::open(&self.path(self.name), saved, since(), follow);
        self.log = Some(log.unwrap());
    }

    /// Saves and loads the position, as a restart does.
    fn restart(&mut self) {
        let position = self.log.as_ref().unwrap().position();
        let text = serde_json::to_string(&Cursor::new(vec![position])).unwrap();
        let cursor: Cursor = serde_json::from_str(&text).unwrap();
        self.start(cursor.logs.first(), true);
    }

    /// The numbers of the images that are requested now.
    fn read(&mut self) -> Vec<usize> {
        let log = self.log.as_mut().unwrap();
        log.next_check = Instant::now();
        let mut requests = Vec::new();
        loop {
            let mut batch = Batch::new(&mut self.counters);
            batch.allow(3, 1 << 20, 3);
            let at_end = log.read(&mut batch).unwrap();
            requests.extend(batch.finish());
            if at_end {
                break;
            }
        }
        let number = |name: String| name.rsplit_once(':').unwrap().1.parse().unwrap();
        requests.iter().map(|request| number(request.reference.to_string())).collect()
    }
}

#[test]
fn appended_lines_are_read_once() {
    let mut rig = Rig::new();
    let first = rig.write("log", 10);
    rig.start(None, true);
    assert_eq!((rig.read(), rig.read()), (first, vec![]));
    let second = rig.write("log", 2);
    assert_eq!(rig.read(), second);
    rig.restart();
    assert_eq!(rig.read(), [0; 0]);
    let third = rig.write("log", 2);
    assert_eq!((rig.read(), rig.counters.gaps), (third, 0));
}

#[test]
fn an_incomplete_line_is_read_when_it_is_complete() {
    let mut rig = Rig::new();
    let line = line(7);
    let (begin, end) = line.split_at(line.len() - 3);
    rig.append("log", begin);
    rig.start(None, true);
    assert_eq!(rig.read(), [0; 0]);
    rig.append("log", end);
    assert_eq!(rig.read(), [7]);
    // The part that was read before a restart is read again.
    rig.append("log", begin);
    assert_eq!(rig.read(), [0; 0]);
    rig.restart();
    rig.append("log", end);
    assert_eq!((rig.read(), rig.counters.gaps), (vec![7], 0));
}

/// The daemon writes to the renamed file until logrotate sends it a signal.
#[test]
fn a_renamed_file_is_read_to_its_end() {
    for restarts in [false, true] {
        let mut rig = Rig::new();
        rig.write("log", 20);
        rig.start(None, true);
        rig.read();
        let mut expected = rig.write("log", 2);
        rig.rename("log", "log.1");
        expected.extend(rig.write("log.1", 1));
        if restarts {
            rig.restart();
        }
        assert_eq!(rig.read(), expected, "without a new file");
        File::create(rig.path("log")).unwrap();
        let late = rig.write("log.1", 1);
        assert_eq!(rig.read(), late);
        if restarts {
            rig.restart();
        }
        let mut expected = rig.write("log.1", 1);
        expected.extend(rig.write("log", 3));
        assert_eq!((rig.read(), rig.counters.gaps), (expected, 0));
        rig.restart();
        assert_eq!(rig.read(), [0; 0]);
    }
}

#[test]
fn a_file_that_was_removed_is_read_to_its_end() {
    let mut rig = Rig::new();
    rig.write("log", 2);
    rig.start(None, true);
    rig.read();
    let mut expected = rig.write("log", 2);
    fs::remove_file(rig.path("log")).unwrap();
    expected.extend(rig.write("log", 2));
    assert_eq!((rig.read(), rig.counters.gaps), (expected, 0));
}

#[test]
fn a_copied_and_truncated_file_is_read_to_its_end() {
    for (restarts, packed) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut rig = Rig::new();
        rig.write("log", 20);
        rig.start(None, true);
        rig.read();
        let mut expected = rig.write("log", 3);
        fs::copy(rig.path("log"), rig.path("log.1")).unwrap();
        File::create(rig.path("log")).unwrap();
        if packed {
            compress(&rig.path("log.1"), &rig.path("log.1.gz"));
        }
        // The new content can be longer than the old one was.
        expected.extend(rig.write("log", if restarts { 30 } else { 3 }));
        if restarts {
            rig.restart();
        }
        assert_eq!((rig.read(), rig.counters.gaps), (expected, 0), "{restarts} {packed}");
        assert_eq!(rig.read(), [0; 0]);
    }
}

#[test]
fn a_truncated_file_is_read_from_its_start() {
    for restarts in [false, true] {
        let mut rig = Rig::new();
        rig.write("log", 20);
        rig.start(None, true);
        rig.read();
        rig.write("log", 3);
        File::create(rig.path("log")).unwrap();
        let expected = rig.write("log", 30);
        if restarts {
            rig.restart();
        }
        // The three lines were lost, which is reported.
        assert_eq!((rig.read(), rig.counters.gaps), (expected, 1));
        assert_eq!(rig.read(), [0; 0]);
    }
}

/// While nothing was read, the log was rotated several times and partly compressed.
#[test]
fn all_files_since_the_last_place_are_read() {
    for late in [false, true] {
        let mut rig = Rig::new();
        let oldest = rig.write("log.5", 2);
        rig.write("log", 20);
        rig.start(None, true);
        assert_eq!(rig.read()[..2], oldest);
        let mut expected = rig.write("log", 2);
        rig.rename("log", "log.4");
        expected.extend(rig.write("log.3", 2));
        compress(&rig.path("log.3"), &rig.path("log.3.gz"));
        expected.extend(rig.write("log.2", 2));
        compress(&rig.path("log.4"), &rig.path("log.4.gz"));
        expected.extend(rig.write("log.1", 2));
        if late {
            // The file with the next line no longer exists.
            fs::remove_file(rig.path("log.4.gz")).unwrap();
            expected.drain(..2);
        }
        expected.extend(rig.write("log", 2));
        rig.restart();
        let mut read = rig.read();
        // The times of files that are made at once can be equal.
        read.sort_unstable();
        match late {
            false => assert_eq!((read, rig.counters.gaps), (expected, 0)),
            true => {
                // Older files are read again.
                assert!(read.ends_with(&expected), "{read:?}");
                assert_eq!(rig.counters.gaps, 1);
            }
        }
        assert_eq!(rig.read(), [0; 0]);
    }
}

/// A new file can have the inode of an old one.
#[test]
fn an_inode_that_is_used_again_is_noticed() {
    let mut rig = Rig::new();
    // Lines of the same length, so that a line also begins at the old offset.
    let time = Timestamp::now();
    let text = |numbers: &[usize]| numbers.iter().map(|n| line_at(time, *n)).collect::<String>();
    fs::write(rig.path("log"), text(&[1, 2])).unwrap();
    rig.start(None, true);
    rig.read();
    let mut position = rig.log.as_ref().unwrap().position();
    let expected = [3, 4, 5, 6];
    fs::write(rig.path("log"), text(&expected)).unwrap();
    rig.start(Some(&position), true);
    assert_eq!(rig.read(), expected);
    assert_eq!(rig.counters.gaps, 1);
    // The inode alone also does not matter: device numbers of network file systems change.
    position = rig.log.as_ref().unwrap().position();
    position.files.iter_mut().for_each(|file| (file.device, file.inode) = (7, 7));
    let expected = rig.write("log", 2);
    rig.start(Some(&position), true);
    assert_eq!((rig.read(), rig.counters.gaps), (expected, 1));
}

/// For example, rsync copies the log of another host here every minute.
#[test]
fn a_file_that_is_replaced_by_a_longer_copy_goes_on() {
    let mut rig = Rig::new();
    rig.write("log", 20);
    rig.start(None, true);
    rig.read();
    for restarts in [false, true] {
        fs::copy(rig.path("log"), rig.path("copy")).unwrap();
        let expected = rig.write("copy", 2);
        rig.rename("copy", "log");
        if restarts {
            rig.restart();
        }
        assert_eq!((rig.read(), rig.counters.gaps), (expected, 0));
    }
}

#[test]
fn the_first_run_begins_at_a_time() {
    let mut rig = Rig::new();
    let old = |name: &str| {
        let file = File::options().append(true).open(rig.path(name)).unwrap();
        file.set_modified(hours_ago(30)).unwrap();
    };
    rig.append("log.2", &line(100));
    old("log.2");
    let early = Timestamp::now() - SignedDuration::from_hours(30);
    rig.append("log.1", &line_at(early, 200));
    let expected = rig.write("log.1", 3);
    rig.start(None, true);
    assert_eq!(rig.read(), expected);
    // Later lines count, whatever their time: the clock of a node may be wrong.
    rig.append("log", &line_at(early, 300));
    assert_eq!(rig.read(), [300]);
}

#[test]
fn a_file_may_not_exist_yet() {
    let mut rig = Rig::new();
    rig.start(None, true);
    assert_eq!(rig.read(), [0; 0]);
    let problem = rig.log.as_ref().unwrap().problem().unwrap();
    assert!(problem.contains("No such file"), "{problem}");
    let expected = rig.write("log", 2);
    assert_eq!(rig.read(), expected);
    assert_eq!(rig.log.as_ref().unwrap().problem(), None);
    let once = FileLog::open(&rig.path("other"), None, since(), false);
    assert!(once.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound));
}

/// An incomplete line stays for the next run, because the daemon may be writing it.
#[test]
fn a_log_that_is_not_followed_ends() {
    let mut rig = Rig::new();
    let expected = rig.write("log", 2);
    rig.append("log", line(7).trim_end());
    rig.start(None, false);
    assert!(!rig.log.as_ref().unwrap().has_ended());
    assert_eq!(rig.read(), expected);
    assert!(rig.log.as_ref().unwrap().has_ended());
    rig.append("log", "\n");
    rig.restart();
    assert_eq!(rig.read(), [7]);
}

#[test]
fn a_file_that_cannot_be_read_is_reported() {
    let mut rig = Rig::new();
    rig.write("log", 2);
    fs::write(rig.path("log.1.lz4"), [&[4, 0x22, 0x4d, 0x18][..], &[0; 30]].concat()).unwrap();
    rig.start(None, true);
    let problem = rig.log.as_ref().unwrap().problem().unwrap();
    assert!(problem.contains("lz4"), "{problem}");
    assert_eq!((rig.read(), rig.counters.gaps), (vec![0, 1], 1));
    fs::create_dir(rig.path("directory")).unwrap();
    assert!(FileLog::open(&rig.path("directory"), None, since(), true).is_err());
}
