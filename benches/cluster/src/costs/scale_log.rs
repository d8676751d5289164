//! A log of all nodes of a cluster, as rsyslog writes it with its template `RSYSLOG_FileFormat`.

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Of ten lines, one is of another program and one is a miss.
const OTHER: usize = 3;
const MISS: usize = 7;

/// Writes a log of the last 30 days, from 2,000 nodes. A job has four lines. `images` are the paths
/// of the images that jobs use; as on a cluster, few of them are used by most jobs.
///
/// # Errors
/// The log cannot be written.
pub(super) fn write(path: &Path, lines: usize, images: &[String]) -> Result<()> {
    let mut log = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let step = SignedDuration::from_hours(30 * 24) / i32::try_from(lines)?;
    let mut time = Timestamp::now() - SignedDuration::from_hours(30 * 24);
    for number in 0..lines {
        time += step;
        let (job, node, user) = (number / 4, number * 7 % 2000, 1000 + number / 4 % 500);
        write!(log, "{time:.6} n{node:04} ")?;
        if number % 10 == OTHER {
            writeln!(log, "slurmstepd[{job}]: done with job, user {user}, exit status 0")?;
            continue;
        }
        write!(log, "sifcache: event=")?;
        let used = number * 31 % images.len().min(if number % 5 == 0 { 5000 } else { 200 });
        let image = images.get(used).context("no images")?;
        let reference = image.rsplitn(4, '/').take(3).collect::<Vec<_>>();
        let [name, team, group] = reference.as_slice() else { continue };
        if number % 10 == MISS {
            write!(log, "miss job={job} step=batch node=0 uid={user} via=shim ")?;
            writeln!(log, "reference=docker.io/other/{team}/{name}")?;
        } else {
            write!(log, "hit job={job} step={} node=0 tasks=2 uid={user} ", number % 4)?;
            writeln!(log, "reference=docker.io/{group}/{team}/{name} image={image}")?;
        }
    }
    log.flush().with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::write;
    use std::fs;

    #[test]
    fn lines_are_hits_misses_and_others() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let images: Vec<String> = (0..300).map(|n| format!("/sif/g{n}/team/image:1")).collect();
        write(log.path(), 1000, &images).unwrap();
        let text = fs::read_to_string(log.path()).unwrap();
        let count = |what: &str| text.lines().filter(|line| line.contains(what)).count();
        let counts =
            ["", " sifcache: event=hit ", " sifcache: event=miss ", " slurmstepd["].map(count);
        assert_eq!(counts, [1000, 800, 100, 100]);
        let first = text.lines().next().unwrap_or_default();
        let end = "n0000 sifcache: event=hit job=0 step=0 node=0 tasks=2 uid=1000 \
                   reference=docker.io/g0/team/image:1 image=/sif/g0/team/image:1";
        assert!(first.ends_with(end), "{first}");
    }
}
