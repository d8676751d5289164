//! `sifcache queue`: the requested images, and what the filler does with them.

use crate::cache::image_name;
use crate::cache::store;
use crate::demand::follow::contents;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::Site;
use crate::site;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::output::{self, Align, Table};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use sifcache_core::queue::{self, Entry, State};
use sifcache_core::reference::Reference;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

/// Show the requested images: in progress, waiting, refused, failed
///
/// Needs no privileges. The filler (`sifcache fill`) writes one small file for each image that a
/// job or `sifcache request` has asked for; this command reads them. USERS is the number of users
/// who asked; `?` if no user is identified. Results (added, refused by the policy, or failed)
/// remain for 10 minutes.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Queue {
    #[command(flatten)]
    site: Site,
    /// Also show images that were added within the last 10 minutes
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  What is going on:
      sifcache queue
  Why is my image not there:
      sifcache queue | grep pytorch
  Ask for an image, and wait for it:
      sifcache request quay.io/o/i:1
  In a script, the images that the policy refuses:
      sifcache queue --json | jq -r '.images[] | select(.state == \"refused\") | .reference'

Exit status:
   0  success, even if the queue is empty or no filler runs
  64  wrong usage
  74  reading or writing failed
  78  the site's settings are invalid or missing, or the image root does not exist

The JSON object is described in docs/json.md.";

/// A running filler changes this file and the entry of each waiting image at least every 10
/// seconds. The rest of the time is for clocks that differ.
const ALIVE: i64 = 60;
/// The file that a filler changes as long as it runs as a service.
const BEAT: &str = ".sifcache/queue/beat";

/// Whether a filler is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Filler {
    /// It has written to the queue lately.
    Running,
    /// It has not written to the queue lately.
    Silent,
    /// No image waits, and no filler has run as a service.
    Unknown,
}

/// One image.
#[derive(Debug, Serialize)]
struct Row {
    reference: String,
    state: &'static str,
    size: Option<u64>,
    received: u64,
    seconds_left: Option<u32>,
    ahead: u32,
    users: Option<u32>,
    reason: Option<String>,
    changed: Timestamp,
    #[serde(skip)]
    order: (u8, u32),
}

/// The JSON object.
#[derive(Serialize)]
struct Object {
    root: String,
    filler: Filler,
    images: Vec<Row>,
    invalid_files: usize,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Queue) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let root = site::target(&settings, None)?;
    store::require(&root)?;
    let now = Timestamp::now();
    let (mut rows, invalid_files) = read(&root)?;
    rows.sort_by(|a, b| (a.order, &a.reference).cmp(&(b.order, &b.reference)));
    let beat = changed(&root.join(BEAT));
    let filler = filler(&rows, beat, now);
    let before = rows.len();
    if !args.all && !args.json {
        rows.retain(|row| row.state != State::Done.as_str());
    }
    let hidden = before - rows.len();
    if args.json {
        let root = root.to_string_lossy().into_owned();
        output::json(&Object { root, filler, images: rows, invalid_files })?;
    } else {
        output::print(&page(&rows, now))?;
        output::print(&remarks(filler, hidden))?;
    }
    Ok(Exit::OK)
}

/// The entries of the queue, and the number of files that are not valid entries. A queue that does
/// not exist is empty.
fn read(root: &Path) -> Result<(Vec<Row>, usize), Failure> {
    let directory = root.join(queue::DIRECTORY);
    let files = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        files => files.map_err(|error| Failure::read(&directory, error))?,
    };
    let (mut rows, mut invalid) = (Vec::new(), 0);
    for file in files {
        let file = file.map_err(|error| Failure::read(&directory, error))?;
        // Names of other lengths are temporary files.
        if file.file_name().len() != 32 {
            continue;
        }
        match row(&file) {
            Some(row) => rows.push(row),
            // It may have been removed in the meantime.
            None => invalid += usize::from(file.path().exists()),
        }
    }
    Ok((rows, invalid))
}

fn row(file: &DirEntry) -> Option<Row> {
    let entry = Entry::parse(&contents(&file.path()).ok()?)?;
    let reference = Reference::parse_printed(entry.reference.as_bytes()).ok()?;
    let group = match entry.state {
        State::Pulling => 0,
        State::Queued => 1,
        State::Failed => 2,
        State::Refused => 3,
        State::Done => 4,
    };
    Some(Row {
        reference: image_name::short(&reference),
        state: entry.state.as_str(),
        size: Some(entry.size).filter(|size| *size > 0),
        received: entry.received,
        seconds_left: entry.seconds_left,
        ahead: entry.ahead,
        users: entry.users,
        reason: Some(entry.reason).filter(|reason| !reason.is_empty()),
        changed: changed(&file.path())?,
        order: (group, entry.ahead),
    })
}

/// When a file was last changed.
fn changed(file: &Path) -> Option<Timestamp> {
    Timestamp::try_from(fs::metadata(file).ok()?.modified().ok()?).ok()
}

fn filler(rows: &[Row], beat: Option<Timestamp>, now: Timestamp) -> Filler {
    let is_waiting = |row: &&Row| row.order.0 <= 1;
    match rows.iter().filter(is_waiting).map(|row| row.changed).chain(beat).max() {
        None => Filler::Unknown,
        Some(last) if now.duration_since(last).as_secs() <= ALIVE => Filler::Running,
        Some(_) => Filler::Silent,
    }
}

fn page(rows: &[Row], now: Timestamp) -> String {
    if rows.is_empty() {
        return "no image is waiting, refused or failed\n".to_owned();
    }
    let mut table = Table::new(&[
        ("STATE", Align::Left),
        ("REFERENCE", Align::Left),
        ("SIZE", Align::Right),
        ("DONE", Align::Right),
        ("LEFT", Align::Right),
        ("BEFORE IT", Align::Right),
        ("USERS", Align::Right),
        ("CHANGED", Align::Right),
        ("NOTE", Align::Left),
    ]);
    for row in rows {
        let none = || "-".to_owned();
        let is_pulling = row.state == State::Pulling.as_str();
        let percent = |size: u64| format!("{} %", row.received.min(size) * 100 / size.max(1));
        table.row(vec![
            row.state.to_owned(),
            escape_for_terminal(row.reference.as_ref()),
            row.size.map_or_else(none, format::size),
            row.size.filter(|_| is_pulling).map_or_else(none, percent),
            row.seconds_left.map_or_else(none, |seconds| format!("{seconds} s")),
            if row.state == State::Queued.as_str() { row.ahead.to_string() } else { none() },
            row.users.map_or_else(none, users),
            format::ago(row.changed, now),
            row.reason.as_deref().map_or_else(String::new, |why| escape_for_terminal(why.as_ref())),
        ]);
    }
    table.text()
}

/// Each image was requested by at least one user, so 0 means that no user is identified.
fn users(number: u32) -> String {
    if number == 0 { "?".to_owned() } else { number.to_string() }
}

fn remarks(filler: Filler, hidden: usize) -> String {
    let mut text = String::new();
    if hidden > 0 {
        let images = format::count(hidden, "image was", "images were");
        text.push_str(&format!("{images} added within the last 10 minutes (--all)\n"));
    }
    if filler == Filler::Silent {
        text.push_str("the queue has not changed for a minute: no filler seems to run\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Filler, filler, page, read, remarks};
    use jiff::{SignedDuration, Timestamp};
    use sifcache_core::queue::{self, Entry, State};
    use sifcache_core::reference::Reference;
    use std::fs;
    use std::path::Path;

    fn put(root: &Path, name: &str, state: State, ahead: u32, reason: &str) {
        let reference = Reference::parse(name.as_bytes()).unwrap();
        let file = root.join(queue::file(&reference));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let (reference, reason) = (reference.to_string(), reason.to_owned());
        let (size, received, seconds_left, beat) = (2048, 512, Some(7), 1);
        // Images that were added have no users.
        let users = (state != State::Done).then_some(ahead);
        let entry =
            Entry { reference, state, size, received, seconds_left, ahead, users, beat, reason };
        fs::write(file, format!("{entry}\n")).unwrap();
    }

    #[test]
    fn images_are_listed_in_the_order_of_the_work() {
        let root = tempfile::tempdir().unwrap();
        assert!(read(root.path()).unwrap().0.is_empty());
        put(root.path(), "o/done:1", State::Done, 0, "");
        put(root.path(), "o/refused:1", State::Refused, 0, "not allowed");
        put(root.path(), "o/second:1", State::Queued, 2, "");
        put(root.path(), "o/first:1", State::Queued, 1, "");
        put(root.path(), "o/now:1", State::Pulling, 0, "");
        let directory = root.path().join(queue::DIRECTORY);
        fs::write(directory.join("a".repeat(32)), "x").unwrap();
        fs::write(directory.join(".tmp"), "x").unwrap();
        let (mut rows, invalid) = read(root.path()).unwrap();
        assert_eq!(invalid, 1);
        rows.sort_by(|a, b| (a.order, &a.reference).cmp(&(b.order, &b.reference)));
        let now = Timestamp::now();
        let page = page(&rows, now);
        let lines = anstream::adapter::strip_str(&page).to_string();
        let names: Vec<&str> =
            lines.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
        let expected =
            ["REFERENCE", "o/now:1", "o/first:1", "o/second:1", "o/refused:1", "o/done:1"];
        assert_eq!(names, expected);
        assert!(lines.contains("25 %") && lines.contains("not allowed"), "{lines}");
        // After the percentage and "7 s": BEFORE IT and USERS.
        let column =
            |line: &str| line.split("7 s").nth(1)?.split_whitespace().nth(1).map(str::to_owned);
        let users: Vec<String> = lines.lines().filter_map(column).collect();
        assert_eq!(users, ["?", "1", "2", "?", "-"]);
        assert_eq!(filler(&rows, None, now), Filler::Running);
        let later = now + SignedDuration::from_secs(600);
        assert_eq!(filler(&rows, None, later), Filler::Silent);
        assert_eq!(filler(&rows, Some(later), later), Filler::Running);
        rows.retain(|row| row.order.0 > 1);
        assert_eq!(filler(&rows, None, later), Filler::Unknown);
        assert_eq!(filler(&rows, Some(now), later), Filler::Silent);
        assert!(remarks(Filler::Silent, 0).contains("no filler seems to run"));
        assert!(remarks(Filler::Running, 2).starts_with("2 images were added"));
    }
}
