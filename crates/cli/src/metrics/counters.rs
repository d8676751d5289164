//! The counters of hits and misses. They are saved together with the places up to which the logs
//! were read, so that each line is counted once.

use super::bounded::{Bounded, Counts, increase};
use super::catalog::{self, Metric};
use super::page::Page;
use crate::events::logs::launch::{Launch, Way};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The reasons for which the plugin refuses a file, from `State::token` in crates/core.
const REFUSALS: [&str; 18] = [
    "bad-descriptors",
    "dangling-link",
    "empty",
    "encrypted",
    "io-error",
    "no-origin",
    "no-root-file-system",
    "not-a-file",
    "not-a-sif",
    "oci-sif",
    "other-origin",
    "several-files",
    "truncated",
    "unknown-file-system",
    "unknown-sif-version",
    "unreadable",
    "untrusted",
    "wrong-architecture",
];
/// The same words for an image root.
const NO_ROOT: &str = "no-root";
const NO_ANSWER: &str = "no-answer";
/// The word for all other values of a label.
const OTHER: &str = "other";
/// The word for the node of a line without a host name.
const UNKNOWN: &str = "unknown";
/// What a lookup found.
const OUTCOMES: [&str; 3] = ["hit", "miss", "wait"];
/// The problems of lines.
const PROBLEMS: [&str; 3] = ["forged", "unread", "gap"];

/// How many values of a label are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) nodes: usize,
    pub(crate) references: usize,
}

/// Counters of hits and misses. One that a state file of an older release lacks begins at zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Counters {
    /// By node; the counters are `OUTCOME REASON`.
    nodes: Bounded,
    /// By reference; the counters are outcomes.
    references: Bounded,
    /// `WAY OUTCOME`.
    ways: Counts,
    refused: Counts,
    root_failures: Counts,
    problems: Counts,
    /// Sizes of the images of all hits.
    bytes: u64,
    /// Hits whose image could not be found.
    without_size: u64,
    last: Option<Timestamp>,
}

impl Counters {
    /// Counts a hit or a miss. The size of the image is not counted.
    pub(crate) fn add(&mut self, launch: &Launch, limits: Limits) {
        let (event, count) = (&launch.event, launch.event.count);
        let outcome = match (&event.image, launch.waits) {
            (Some(_), _) => "hit",
            (None, false) => "miss",
            (None, true) => "wait",
        };
        let reason = reason(launch);
        let node = if launch.host.is_empty() { UNKNOWN } else { &launch.host };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let node = if node.bytes().all(is_name) { node } else { UNKNOWN };
        self.nodes.add(node, &format!("{outcome} {reason}"), count, limits.nodes);
        self.references.add(&event.reference.to_string(), outcome, count, limits.references);
        increase(&mut self.ways, &format!("{} {outcome}", launch.path.word()), count);
        for (_, why) in &event.refused {
            match why.as_str() {
                NO_ROOT | NO_ANSWER => increase(&mut self.root_failures, why, launch.lines),
                why => {
                    let known = REFUSALS.iter().find(|one| **one == why).unwrap_or(&OTHER);
                    increase(&mut self.refused, known, launch.lines);
                }
            }
        }
        self.last = self.last.max(Some(launch.time));
    }

    /// Counts hits of an image with this size in bytes; `None` if it could not be found.
    pub(crate) fn add_size(&mut self, size: Option<u64>, hits: u64) {
        match size {
            Some(size) => self.bytes = self.bytes.saturating_add(size.saturating_mul(hits)),
            None => self.without_size = self.without_size.saturating_add(hits),
        }
    }

    /// Counts lines that are forged or cannot be read, and gaps.
    pub(crate) fn add_problems(&mut self, forged: u64, unread: u64, gaps: u64) {
        for (problem, count) in PROBLEMS.iter().zip([forged, unread, gaps]) {
            increase(&mut self.problems, problem, count);
        }
    }

    /// Shows at most so many values from now on.
    pub(crate) fn limit(&mut self, limits: Limits) {
        self.nodes.limit(limits.nodes);
        self.references.limit(limits.references);
    }

    /// Adds the samples of all counters. Those of few values exist from the beginning, because
    /// Prometheus does not see an increase from nothing to one.
    pub(crate) fn show(&self, page: &mut Page) {
        for (node, counts) in self.nodes.shown().chain(Some((OTHER, self.nodes.rest()))) {
            for (counter, count) in counts {
                let (outcome, reason) = counter.split_once(' ').unwrap_or((counter, ""));
                page.add(&catalog::LOOKUPS, &[node, outcome, reason], *count);
            }
        }
        for way in Way::ALL.map(Way::word) {
            for outcome in OUTCOMES {
                let count = self.ways.get(&format!("{way} {outcome}")).copied();
                page.add(&catalog::LAUNCHES, &[way, outcome], count.unwrap_or_default());
            }
        }
        let references = self.references.shown().chain(Some((OTHER, self.references.rest())));
        for (reference, counts) in references {
            for (outcome, count) in counts {
                page.add(&catalog::IMAGES_LOOKUPS, &[reference, outcome], *count);
            }
        }
        page.add(&catalog::NOT_DOWNLOADED, &[], self.bytes);
        page.add(&catalog::WITHOUT_SIZE, &[], self.without_size);
        let mut each = |metric: &Metric, words: &[&str], counts: &Counts| {
            for word in words {
                page.add(metric, &[word], counts.get(*word).copied().unwrap_or_default());
            }
        };
        each(&catalog::REFUSED, &REFUSALS, &self.refused);
        each(&catalog::REFUSED, &[OTHER], &self.refused);
        each(&catalog::ROOT_FAILURES, &[NO_ROOT, NO_ANSWER], &self.root_failures);
        each(&catalog::LOG_PROBLEMS, &PROBLEMS, &self.problems);
        if let Some(last) = self.last {
            page.add(&catalog::LAST_LOOKUP, &[], seconds(last));
        }
    }
}

/// Seconds since 1970.
pub(crate) fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_second()).unwrap_or_default()
}

/// Why the image was not found.
fn reason(launch: &Launch) -> &'static str {
    let has = |word: &str| launch.event.refused.iter().any(|(_, why)| why == word);
    let is_file = |(_, why): &(_, String)| why != NO_ROOT && why != NO_ANSWER;
    match () {
        () if launch.event.image.is_some() => "found",
        () if launch.event.refused.iter().any(is_file) => "refused",
        () if has(NO_ANSWER) => NO_ANSWER,
        () if has(NO_ROOT) => NO_ROOT,
        () => "absent",
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, Limits, REFUSALS};
    use crate::events::logs::launch::{self, Found, Launch};
    use crate::metrics::page::{Format, Page};
    use jiff::Timestamp;

    const LIMITS: Limits = Limits { nodes: 2, references: 2 };

    fn launch(host: &str, message: &str) -> Launch {
        let line = format!("2026-11-24T03:03:15Z {host} sifcache: {message}");
        match launch::read(line.as_bytes(), Timestamp::now()).found {
            Found::Launch(launch) => *launch,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn text(counters: &Counters) -> Vec<String> {
        let mut page = Page::default();
        counters.show(&mut page);
        let text = page.text(Format::Prometheus);
        let is_sample = |line: &&str| !line.starts_with('#') && !line.ends_with(" 0");
        text.lines().filter(is_sample).map(str::to_owned).collect()
    }

    /// Counters of some lines.
    fn some() -> Counters {
        let mut counters = Counters::default();
        let mut add = |host: &str, message: &str| counters.add(&launch(host, message), LIMITS);
        let hit = "reference=docker.io/o/i:1 image=/s/o/i:1";
        add("n1", &format!("event=hit job=8 step=0 node=0 tasks=3 uid=1001 {hit}"));
        add("N1.site.example", &format!("event=hit uid=1002 via=shim {hit}"));
        add("n2", "event=miss uid=7 via=pull reference=o/i:2 refused=/s/o/i:2 why=truncated");
        add("n2", "event=miss tasks=2 uid=7 reference=o/i:2 wait=600 refused=/s why=no-root");
        add("n3", "event=miss tasks=1 uid=7 reference=o/i:3 refused=/s why=no-answer");
        add("n4", "event=miss tasks=1 uid=7 reference=o/i:4 refused=/s/x why=made-up");
        counters.add_size(Some(10), 2);
        counters.add_size(None, 1);
        counters.add_problems(1, 2, 3);
        counters
    }

    #[test]
    fn each_line_is_counted_under_its_labels() {
        assert_eq!(
            text(&some()),
            [
                r#"sifcache_lookups_total{node="n1",outcome="hit",reason="found"} 4"#,
                r#"sifcache_lookups_total{node="n2",outcome="miss",reason="refused"} 1"#,
                r#"sifcache_lookups_total{node="n2",outcome="wait",reason="no-root"} 2"#,
                r#"sifcache_lookups_total{node="other",outcome="miss",reason="no-answer"} 1"#,
                r#"sifcache_lookups_total{node="other",outcome="miss",reason="refused"} 1"#,
                r#"sifcache_launches_total{path="task",outcome="hit"} 3"#,
                r#"sifcache_launches_total{path="task",outcome="miss"} 2"#,
                r#"sifcache_launches_total{path="task",outcome="wait"} 2"#,
                r#"sifcache_launches_total{path="shim",outcome="hit"} 1"#,
                r#"sifcache_launches_total{path="pull",outcome="miss"} 1"#,
                r#"sifcache_image_lookups_total{reference="docker.io/o/i:1",outcome="hit"} 4"#,
                r#"sifcache_image_lookups_total{reference="docker.io/o/i:2",outcome="miss"} 1"#,
                r#"sifcache_image_lookups_total{reference="docker.io/o/i:2",outcome="wait"} 2"#,
                r#"sifcache_image_lookups_total{reference="other",outcome="miss"} 2"#,
                "sifcache_not_downloaded_bytes_total 20",
                "sifcache_hits_without_size_total 1",
                r#"sifcache_refused_images_total{reason="truncated"} 1"#,
                r#"sifcache_refused_images_total{reason="other"} 1"#,
                r#"sifcache_root_failures_total{reason="no-root"} 1"#,
                r#"sifcache_root_failures_total{reason="no-answer"} 1"#,
                r#"sifcache_log_problems_total{problem="forged"} 1"#,
                r#"sifcache_log_problems_total{problem="unread"} 2"#,
                r#"sifcache_log_problems_total{problem="gap"} 3"#,
                "sifcache_last_lookup_timestamp_seconds 1795489395",
            ]
        );
    }

    #[test]
    fn nothing_names_a_user_or_a_job() {
        let mut counters = Counters::default();
        let message = "event=miss job=4711 step=0 node=0 tasks=1 uid=4712 reference=o/i:3";
        counters.add(&launch("n1", message), LIMITS);
        let all = format!("{:?}{}", text(&counters), serde_json::to_string(&counters).unwrap());
        assert!(!all.contains("4711") && !all.contains("4712"), "{all}");
    }

    /// A host name comes from a log, which can contain anything.
    #[test]
    fn odd_host_names_share_one_label() {
        let mut counters = Counters::default();
        for host in ["a\"b", "a{b}", "\u{e9}"] {
            counters.add(&launch(host, "event=miss uid=7 reference=o/i:3"), LIMITS);
        }
        let all = text(&counters);
        let expected = r#"sifcache_lookups_total{node="unknown",outcome="miss",reason="absent"} 3"#;
        assert_eq!(all.first().map(String::as_str), Some(expected));
    }

    /// The plugin's words, from the source of the function that chooses them.
    #[test]
    fn every_reason_of_the_plugin_is_known() {
        let source = include_str!("../../../core/src/image/state.rs");
        let (_, body) = source.split_once("pub fn token(&self)").unwrap();
        let (body, _) = body.split_once("\n    }\n").unwrap();
        let words = body.split('"').skip(1).step_by(2);
        let others = ["image", "not-tried", "absent", "no-root", "no-answer"];
        let mut words: Vec<&str> = words.filter(|word| !others.contains(word)).collect();
        words.sort_unstable();
        assert_eq!(words, REFUSALS);
    }
}
