//! A constructed report, for tests of the page: every kind of row, and texts that need escaping.

use super::cache::{Cache, FileSystem, Growth, Root, Unused, UnusedImage};
use super::problem::{Problem, Severity};
use super::source::{Source, SourceId};
use super::usage::{Day, Image, Miss, Node, Partition, Reason, Saved, Totals};
use super::{List, Misses, Report, Section};
use crate::events::count::Commands;
use crate::report::command_line::CommandLines;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

/// A text that breaks a page which does not escape it.
pub(crate) const HOSTILE: &str = "<script>alert('\"&')</script>";

const DAYS: i64 = 30;
const GIB: u64 = 1 << 30;

fn commands(launches: u64, pulls: u64, builds: u64) -> Commands {
    Commands { launches, pulls, builds }
}

/// The report of a month.
pub(crate) fn report() -> Report {
    let created: Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
    let logs = &[SourceId::Logs];
    let mut report = Report {
        created,
        host: "admin1".to_owned(),
        release: env!("CARGO_PKG_VERSION"),
        time_zone: "Europe/Berlin".to_owned(),
        lines: CommandLines::default(),
        since: Some(created - SignedDuration::from_hours(24 * DAYS)),
        until: None,
        sources: sources(created),
        totals: Section::new(&[SourceId::Logs, SourceId::Roots], totals()),
        cache: Section::new(&[SourceId::Roots, SourceId::FileSystems], cache(created)),
        days: Section::new(&[SourceId::Logs, SourceId::Roots], days()),
        images: Section::new(&[SourceId::Logs, SourceId::Roots], images(created)),
        misses: Section::new(&[SourceId::Logs, SourceId::Filler], misses(created)),
        unused: Section::new(
            &[SourceId::Roots, SourceId::Logs, SourceId::LastUsed],
            unused(created),
        ),
        problems: Section::new(
            &[SourceId::Verify, SourceId::Logs, SourceId::FileSystems],
            problems(),
        ),
        nodes: Section::new(logs, nodes(created)),
        partitions: Section::new(&[SourceId::Logs, SourceId::Slurm], partitions()),
    };
    report.cache.notes.push("images that were removed since are not part of the growth".into());
    report.partitions.notes.push("a node of two partitions counts for both".into());
    report
}

/// A report on a host without a log, an image root and Slurm.
pub(crate) fn empty() -> Report {
    let mut report = report();
    let why = |what: &str| Some(format!("there is no {what} <here>"));
    report.totals.missing = why("log");
    report.totals.data = Totals::default();
    report.cache.missing = why("image root");
    report.cache.data = Cache::default();
    report.days.missing = why("log");
    report.days.data.clear();
    report.images.missing = why("log");
    report.images.data = List::default();
    report.misses.missing = why("log");
    report.misses.data = Misses::default();
    report.unused.missing = why("image root");
    report.unused.data = Unused::default();
    report.problems.data.clear();
    report.nodes.missing = why("log");
    report.nodes.data.clear();
    report.partitions.missing = why("sinfo");
    report.partitions.data.clear();
    report
}

fn sources(created: Timestamp) -> Vec<Source> {
    let source = |id, what, names: &[&str], from, command: &str| Source {
        id,
        what,
        names: names.iter().map(|&name| name.to_owned()).collect(),
        from,
        to: Some(created),
        notes: Vec::new(),
        command: command.to_owned(),
    };
    let month = created - SignedDuration::from_hours(24 * DAYS);
    let log = ["/var/log/central/nodes.log", "/var/log/central/nodes.log.1.gz"];
    let mut all = vec![
        source(SourceId::Logs, "log lines of the plugin", &log, Some(month), "sifcache hits"),
        source(
            SourceId::Roots,
            "files of the image roots",
            &["/shared/sif"],
            None,
            "sifcache list",
        ),
        source(SourceId::FileSystems, "file systems", &["/shared/sif"], None, "df /shared/sif"),
        source(SourceId::LastUsed, "saved last uses", &["/shared/sif"], None, "sifcache list"),
        source(SourceId::Verify, "a check of all files", &["/shared/sif"], None, "sifcache verify"),
        source(SourceId::Filler, "the filler's queue", &["/shared/sif"], None, "sifcache queue"),
        source(SourceId::Slurm, "the nodes of the cluster", &["sinfo --all"], None, "sinfo"),
    ];
    all[0].notes.push(format!("skipped /var/log/{HOSTILE}: it is empty"));
    all
}

fn totals() -> Totals {
    Totals {
        hits: commands(120_345, 321, 12),
        misses: commands(1_234, 45, 0),
        hit_percent: Some(98.9),
        jobs: 45_678,
        users: 123,
        images: 87,
        saved: Saved { bytes: 1_234_567 * GIB / 1_000, unknown: 17 },
        saved_once_per_user: 876 * GIB,
    }
}

fn first_day() -> Date {
    "2026-10-31".parse().unwrap()
}

fn cache(created: Timestamp) -> Cache {
    let root = |path: &str| Root {
        path: path.to_owned(),
        layout: None,
        images: Some(120),
        bytes: Some(480 * GIB),
        invalid_files: Some(3),
        kept_bytes: 12 * GIB,
        kept_until: Some(created + SignedDuration::from_hours(50)),
        file_system: Some(FileSystem {
            used_bytes: 950 * GIB,
            total_bytes: 1_000 * GIB,
            used_inodes: 5_000,
            total_inodes: 0,
        }),
        error: None,
    };
    let foreign = Root {
        layout: Some("nextflow".to_owned()),
        images: None,
        bytes: None,
        invalid_files: None,
        kept_bytes: 0,
        kept_until: None,
        ..root("/shared/nextflow")
    };
    let lost = Root {
        images: None,
        bytes: None,
        invalid_files: None,
        file_system: None,
        error: Some(format!("cannot read {HOSTILE}")),
        ..root("/local/sif")
    };
    let roots = vec![lost, root("/shared/sif"), foreign];
    Cache { roots, images: 120, bytes: 480 * GIB, growth: growth() }
}

fn growth() -> Vec<Growth> {
    let mut growth: Vec<Growth> = Vec::new();
    for number in (0..DAYS).step_by(3) {
        let before = growth.last().map_or((90, 300 * GIB), |last| (last.images, last.bytes));
        let day = first_day() + SignedDuration::from_hours(24 * number);
        let (images, bytes) = (before.0 + 3, before.1 + 18 * GIB);
        growth.push(Growth { day, added_images: 3, added_bytes: 18 * GIB, images, bytes });
    }
    growth
}

fn days() -> Vec<Day> {
    let day = |number: i64| {
        let share = u64::try_from(number % 7).unwrap();
        Day {
            day: first_day() + SignedDuration::from_hours(24 * number),
            hits: commands(1_000 + 500 * share, 10 * share, u64::from(number == 3)),
            misses: commands(100 * share, share, 0),
            saved: Saved { bytes: (1_000 + 500 * share) * 4 * GIB, unknown: share },
            hosts: if number == 12 { 0 } else { 42 },
        }
    };
    let mut days: Vec<Day> = (0..DAYS).map(day).collect();
    // A day without a log.
    (days[12].hits, days[12].misses) = (Commands::default(), Commands::default());
    days[12].saved = Saved::default();
    days
}

fn images(created: Timestamp) -> List<Image> {
    let image = |number: u64| Image {
        references: vec![format!("quay.io/lab{number}/tool:1.{number}")],
        path: format!("/shared/sif/quay.io/lab{number}/tool:1.{number}"),
        present: true,
        size: Some(number * GIB),
        added: Some(created - SignedDuration::from_hours(400)),
        hits: commands(10_000 / number, number, 0),
        jobs: 5_000 / number,
        users: 1 + number % 40,
        last_served: created - SignedDuration::from_mins(i64::try_from(number).unwrap() * 90),
        saved: Saved { bytes: (10_000 / number + number) * number * GIB, unknown: 0 },
        saved_once_per_user: Some((1 + number % 40) * number * GIB),
    };
    let mut rows: Vec<Image> = (1..=40).map(image).collect();
    rows.push(Image {
        references: vec!["o/removed:1".to_owned(), "o/removed@sha256:0f0f".to_owned()],
        path: format!("/shared/sif/{HOSTILE}"),
        present: false,
        size: None,
        added: None,
        saved: Saved { bytes: 0, unknown: 17 },
        saved_once_per_user: None,
        ..image(41)
    });
    List { total: 87, rows }
}

fn misses(created: Timestamp) -> Misses {
    let miss = |reference: &str, users: u64, reasons: Vec<Reason>, command: &str| Miss {
        reference: reference.to_owned(),
        misses: commands(users * 7, users, 0),
        jobs: users * 5,
        users,
        last: created - SignedDuration::from_hours(30),
        reasons,
        command: command.to_owned(),
    };
    let reason = |kind, path: Option<&str>, why: &str| Reason {
        kind,
        path: path.map(str::to_owned),
        why: why.to_owned(),
    };
    let truncated = reason("refused", Some("/shared/sif/o/cut:1"), "truncated");
    let policy = reason("refused-by-policy", None, "no rule allows docker.io/evil");
    let failed = reason("failed", None, HOSTILE);
    let rows = vec![
        miss("pytorch/pytorch:2.9", 12, Vec::new(), "sifcache add pytorch/pytorch:2.9"),
        miss("o/cut:1", 3, vec![truncated], "sifcache verify o/cut:1"),
        miss("evil/miner:latest", 2, vec![policy], "sifcache queue"),
        miss("o/private:1", 1, vec![failed], "sifcache add --docker-login o/private:1"),
    ];
    let command = "sifcache misses --min-users 3 --refs | sifcache add --from -".to_owned();
    Misses { list: List { total: 9, rows }, added_since: 5, command }
}

fn unused(created: Timestamp) -> Unused {
    let image = |number: i64| UnusedImage {
        reference: format!("old/image:{number}"),
        path: format!("/shared/sif/old/image:{number}"),
        size: (20 - u64::try_from(number).unwrap()) * GIB,
        added: created - SignedDuration::from_hours(24 * (200 - number)),
        last_served: (number % 3 > 0)
            .then(|| created - SignedDuration::from_hours(24 * (190 - number))),
    };
    Unused {
        unused_for: "60d".to_owned(),
        images: 15,
        bytes: 180 * GIB,
        unproven: Some("there is no log of n7: give it with --log".to_owned()),
        commands: vec!["sifcache gc --unused-for 60d --into /shared/sif --dry-run".to_owned()],
        list: List { total: 15, rows: (0..12).map(image).collect() },
    }
}

fn problems() -> Vec<Problem> {
    let problem = |severity, kind, source, subject: &str, what: &str, command: &str| Problem {
        severity,
        kind,
        source,
        count: 1,
        rest: false,
        subject: subject.to_owned(),
        what: what.to_owned(),
        advice: String::new(),
        command: command.to_owned(),
    };
    let (bad, note) = (Severity::Problem, Severity::Note);
    let mut all = vec![
        problem(
            bad,
            "truncated",
            SourceId::Verify,
            "/shared/sif/o/cut:1",
            "has 100 of 2048 bytes",
            "sifcache verify /shared/sif/o/cut:1",
        ),
        problem(
            bad,
            "file-system-full",
            SourceId::FileSystems,
            "/shared/sif",
            "is 95 % full",
            "sifcache gc --fill-level 90%:80% --dry-run",
        ),
        problem(bad, "not-an-image", SourceId::Verify, HOSTILE, "is not a SIF file", ""),
        problem(note, "stray", SourceId::Verify, "/shared/sif/README", "no reference", ""),
    ];
    all[2].advice = "put the image there again, or remove the file".to_owned();
    all.push(Problem { count: 12, ..forged(&all[3]) });
    all
}

fn forged(note: &Problem) -> Problem {
    Problem {
        kind: "forged-lines",
        source: SourceId::Logs,
        subject: "/var/log/central/nodes.log".to_owned(),
        what: "12 lines with the plugin's name are not from the plugin".to_owned(),
        ..note.clone()
    }
}

fn nodes(created: Timestamp) -> Vec<Node> {
    let node = |number: i64| Node {
        node: format!("n{number:02}"),
        hits: commands(500 * u64::try_from(number).unwrap(), 3, 0),
        misses: commands(7, 0, 0),
        last: Some(created - SignedDuration::from_mins(number)),
        covered_from: Some(created - SignedDuration::from_hours(24 * DAYS)),
        covered_to: Some(created),
        partitions: vec![if number % 4 == 0 { "gpu" } else { "cpu" }.to_owned()],
    };
    let mut nodes: Vec<Node> = (1..=42).map(node).collect();
    nodes[0].partitions.push("debug".to_owned());
    nodes.push(Node {
        node: HOSTILE.to_owned(),
        last: None,
        covered_from: None,
        covered_to: None,
        partitions: Vec::new(),
        ..node(43)
    });
    nodes
}

fn partitions() -> Vec<Partition> {
    let partition = |name: &str, nodes: u64, launches: u64| Partition {
        partition: name.to_owned(),
        nodes: nodes + 1,
        nodes_in_logs: nodes,
        hits: commands(launches, 30, 0),
        misses: commands(launches / 100, 1, 0),
    };
    vec![partition("cpu", 32, 90_000), partition("debug", 1, 500), partition("gpu", 10, 30_000)]
}
