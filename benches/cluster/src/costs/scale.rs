//! `list` and `verify` of a large cache, `hits`, `misses` and `report` of a large log, on this
//! machine: times next to those of find(1) and grep(1), and peak memory.

use super::command::{self, Used};
use super::row::{Row, Shown, Value};
use crate::shuffle::Shuffle;
use crate::statistics::summary;
use anyhow::{Context, Result};
use scale_inputs::log::Log;
use std::path::PathBuf;

/// What to measure.
pub(super) struct Scale {
    /// The number of images.
    pub(super) images: usize,
    /// The number of lines in the log.
    pub(super) lines: usize,
    /// How often each command runs.
    pub(super) rounds: usize,
    /// The present command, and the older one if there is one.
    pub(super) commands: Vec<PathBuf>,
}

/// A command line without its program.
struct Line {
    name: String,
    words: Vec<String>,
    target: Option<f64>,
    /// The target for the peak memory, in MB.
    memory: f64,
    /// Whether older builds have this command.
    is_old: bool,
}

impl Line {
    fn new(name: String, words: &[&str], target: Option<f64>) -> Self {
        let memory = if words.first() == Some(&"report") { REPORT_MEMORY } else { MEMORY };
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Self { name, words, target, memory, is_old: true }
    }

    fn new_command(self) -> Self {
        Self { is_old: false, ..self }
    }
}

/// The number of nodes that write the log.
const NODES: u64 = 200;

/// The target for the peak memory of most commands, in MB.
const MEMORY: f64 = 100.0;
/// The same for `report`, which has images and counts in memory at the same time.
const REPORT_MEMORY: f64 = 200.0;

impl Scale {
    /// Makes the images and the log, and measures all commands.
    ///
    /// # Errors
    /// The disk is full, or a command fails.
    pub(super) fn measure(&self) -> Result<Vec<Row>> {
        // Unlike /tmp, /var/tmp is on a disk.
        let directory = tempfile::tempdir_in("/var/tmp")?;
        let [root, log, empty] =
            ["sif", "nodes.log", "empty"].map(|one| directory.path().join(one));
        scale_inputs::root::write(&root, self.images)?;
        std::fs::create_dir(&empty)?;
        let lines = u64::try_from(self.lines)?;
        Log { lines, nodes: NODES, images: self.images, root: &root }.write(&log)?;
        let [root, log, empty] = [root, log, empty].map(|path| path.display().to_string());
        let find = ["find", &root, "-printf", "%s %T@ %p\\n"];
        let floor = "`find -printf '%s %T@ %p\\n'`";
        let mut rows = self.compare(floor, &find, &self.of_images(&root))?;
        let grep = ["grep", "-c", "sifcache", &log];
        rows.extend(self.compare(
            "`grep -c sifcache`",
            &grep,
            &self.of_lines(&root, &log, &empty),
        )?);
        // Times first, then memory.
        rows.sort_by_key(|row| row.shown == Shown::Memory);
        Ok(rows)
    }

    /// The commands that read the image root.
    fn of_images(&self, root: &str) -> [Line; 4] {
        let of = |what: &str| format!("`{what}` of {} images", thousands(self.images));
        [
            Line::new(of("list"), &["list", "--root", root], Some(2.0)),
            Line::new(of("list --json"), &["list", "--json", "--root", root], None),
            Line::new(of("list cuda"), &["list", "--root", root, "cuda"], Some(2.0)).new_command(),
            Line::new(of("verify"), &["verify", "--root", root], Some(4.0)),
        ]
    }

    /// The commands that read the log. `report` shows the figures of the log alone with an `empty`
    /// image root, and all figures otherwise.
    fn of_lines(&self, root: &str, log: &str, empty: &str) -> [Line; 4] {
        let of = |what: &str| format!("`{what}` of {} lines", thousands(self.lines));
        let report = |root| ["report", "--html", "-", "--root", root, "--log", log];
        let with_images = format!("{} and {} images", of("report"), thousands(self.images));
        [
            Line::new(of("hits"), &["hits", "--root", root, "--log", log], Some(3.0)),
            Line::new(of("misses"), &["misses", "--root", root, "--log", log], None),
            Line::new(of("report"), &report(empty), Some(3.0)).new_command(),
            Line::new(with_images, &report(root), None).new_command(),
        ]
    }

    /// Runs the floor and all commands of all builds in a random order, after one round that reads
    /// everything into memory.
    fn compare(&self, floor_name: &str, floor: &[&str], lines: &[Line]) -> Result<Vec<Row>> {
        let mut commands: Vec<Vec<String>> =
            vec![floor.iter().map(|&word| word.to_owned()).collect()];
        for line in lines {
            commands.extend(self.builds(line).iter().map(|command| {
                let program = std::iter::once(command.display().to_string());
                program.chain(line.words.iter().cloned()).collect()
            }));
        }
        let mut used: Vec<Vec<Used>> = vec![Vec::new(); commands.len()];
        let mut order = Shuffle::new(commands.len());
        for round in 0..=self.rounds {
            for at in order.next() {
                let command = commands.get(at).context("no command")?;
                let sample = command::measure(command)?;
                used.get_mut(at)
                    .filter(|_| round > 0)
                    .into_iter()
                    .for_each(|used| used.push(sample));
            }
        }
        let (floor, mut others) = used.split_first().context("no floor")?;
        let mut all = Vec::new();
        for line in lines {
            let (builds, rest) =
                others.split_at_checked(self.builds(line).len()).context("no samples")?;
            all.extend(rows(line, floor_name, floor, builds));
            others = rest;
        }
        Ok(all)
    }

    /// The builds that have the subcommand.
    fn builds(&self, line: &Line) -> &[PathBuf] {
        let count = if line.is_old { self.commands.len() } else { 1 };
        self.commands.get(..count).unwrap_or_default()
    }
}

/// The rows of a command: its time and its memory.
fn rows(line: &Line, floor_name: &str, floor: &[Used], builds: &[Vec<Used>]) -> [Row; 2] {
    let all = |used: &[Used], what: fn(&Used) -> f64| used.iter().map(what).collect::<Vec<_>>();
    let seconds = |used: &[Used]| all(used, |used| used.seconds);
    let cpu = |used: &[Used]| Some(summary(&all(used, |used| used.cpu)).median);
    let value =
        |used: &[Used]| Value { cpu: cpu(used), ..Value::paired(&seconds(used), &seconds(floor)) };
    let peak = |used: &[Used]| {
        let most = all(used, |used| used.megabytes).into_iter().fold(0.0, f64::max);
        Value { median: most, above: most, interval: None, cpu: None }
    };
    let (present, older) = (builds.first().map(Vec::as_slice).unwrap_or_default(), builds.get(1));
    let time = Row {
        what: line.name.clone(),
        floor_name: floor_name.to_owned(),
        floor: Some(summary(&seconds(floor)).median),
        bare: None,
        older: older.map(|used| value(used)),
        present: value(present),
        target: line.target,
        shown: Shown::Times,
        floor_cpu: cpu(floor),
    };
    let memory = Row {
        what: format!("{}: peak memory", line.name),
        floor_name: String::new(),
        floor: None,
        bare: None,
        older: older.map(|used| peak(used)),
        present: peak(present),
        target: Some(line.memory),
        shown: Shown::Memory,
        floor_cpu: None,
    };
    [time, memory]
}

/// A number with separators: 100,000.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
