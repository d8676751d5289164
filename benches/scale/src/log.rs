//! A central log of many nodes, as rsyslog's `RSYSLOG_FileFormat` writes it.
//!
//! One line in five is from sifcache, because a node of a cluster that runs containers logs about
//! four lines for the start and the end of each step. Nine of ten lines of sifcache are hits. A
//! hundred images of the cache serve half of the hits.

use crate::image::{self, Image};
use crate::others;
use crate::random::Random;
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

/// The lines cover this time, in microseconds: 90 days.
const COVERED: i64 = 90 * 86_400_000_000;
/// The number of users.
const USERS: u64 = 900;
/// The number of references that are requested but not in the cache.
const MISSING: u64 = 4000;
/// The number of images that serve half of the hits.
const POPULAR: u64 = 100;

/// The parameters of a log.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    /// The number of lines.
    pub lines: u64,
    /// The number of nodes.
    pub nodes: u64,
    /// The number of images in the cache.
    pub images: usize,
    /// The image root.
    pub root: &'a Path,
}

impl Log<'_> {
    /// Writes the log. It ends an hour before now.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let images: Vec<(String, String)> = image::all(self.images)
            .map(|Image { reference, name, .. }| (reference, name))
            .collect();
        let end = Timestamp::now() - SignedDuration::from_hours(1);
        let begin = end.as_microsecond() - COVERED;
        let mut file = BufWriter::with_capacity(1 << 20, File::create(file)?);
        let (mut random, mut line) = (Random::of(3, 0), String::new());
        let step = COVERED / i64::try_from(self.lines.max(1)).map_err(io::Error::other)?;
        for number in 0..self.lines {
            let time = begin + step * i64::try_from(number).map_err(io::Error::other)?;
            let time = Timestamp::from_microsecond(time).map_err(io::Error::other)?;
            line.clear();
            let _ = write!(line, "{time:.6}").map(|()| line.pop());
            let _ = write!(line, "+00:00 n{:04} ", 1 + random.below(self.nodes));
            match random.below(5) {
                0 => self.ours(&mut line, &mut random, number, &images),
                _ => others::append(&mut line, &mut random),
            }
            line.push('\n');
            file.write_all(line.as_bytes())?;
        }
        file.flush()
    }

    fn ours(
        &self,
        line: &mut String,
        random: &mut Random,
        number: u64,
        images: &[(String, String)],
    ) {
        let event = if random.below(10) == 0 { "miss" } else { "hit" };
        // A job has about eight lines.
        let (job, uid) = (1_000_000 + number / 40, 1000 + Random::of(4, number / 40).below(USERS));
        let step = match random.below(3) {
            0 => "batch".to_owned(),
            _ => random.below(60).to_string(),
        };
        let kind = match random.below(20) {
            0..12 => format!("tasks={} uid={uid}", 1 + random.below(64)),
            12..19 => format!("uid={uid} via=shim"),
            _ => format!("uid={uid} via=pull"),
        };
        let _ = write!(
            line,
            "sifcache: event={event} job={job} step={step} node={} {kind} ",
            random.below(8)
        );
        if event == "miss" {
            let missing = random.below(MISSING);
            let _ = write!(
                line,
                "reference=docker.io/u{}/new-{missing}:v{}",
                missing % 200,
                missing % 7
            );
            return;
        }
        let end = if random.below(2) == 0 { POPULAR } else { images.len() as u64 };
        let index = usize::try_from(random.below(end)).unwrap_or_default();
        let Some((reference, name)) = images.get(index).or_else(|| images.first()) else { return };
        let root = self.root.display();
        let _ = write!(line, "reference={reference} image={root}/{name}");
    }
}
