//! The samples of all metrics, as text and as JSON.
//!
//! The text is in Prometheus' own format, version 0.0.4, or in OpenMetrics 1.0. `promtool check
//! metrics` and node_exporter's textfile collector read only the former: the type of an OpenMetrics
//! counter has another name than its samples, so both treat them as untyped, and a file with an `info`
//! metric is refused as a whole. The `# EOF` at the end, which OpenMetrics requires, is a
//! comment for both, and shows that the text is complete.

use super::catalog::{ALL, Kind, Metric};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Number {
    Whole(u64),
    Fraction(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<bool> for Number {
    fn from(is_true: bool) -> Self {
        Self::Whole(is_true.into())
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Fraction(number)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Fraction(number) => number.fmt(f),
        }
    }
}

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Prometheus,
    OpenMetrics,
}

impl Format {
    /// The lines before the samples of a metric.
    fn head(self, metric: &Metric) -> String {
        let Metric { name, kind, help, .. } = metric;
        if self == Self::Prometheus {
            return format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.word());
        }
        // OpenMetrics derives these suffixes of sample names from the type.
        let (family, word) = match (kind, name.strip_suffix("_total"), name.strip_suffix("_info")) {
            (Kind::Counter, Some(family), _) => (family, "counter"),
            (Kind::Gauge, _, Some(family)) => (family, "info"),
            _ => (*name, kind.word()),
        };
        let unit = ["bytes", "seconds"]
            .into_iter()
            .find(|unit| family.strip_suffix(unit).is_some_and(|before| before.ends_with('_')));
        let unit = unit.map(|unit| format!("# UNIT {family} {unit}\n")).unwrap_or_default();
        format!("# TYPE {family} {word}\n{unit}# HELP {family} {}\n", escape(help))
    }
}

/// The samples of all metrics.
#[derive(Debug, Default)]
pub(crate) struct Page {
    samples: BTreeMap<&'static str, Vec<Sample>>,
}

#[derive(Debug)]
struct Sample {
    /// The values of the labels, in the order of the metric.
    values: Vec<String>,
    number: Number,
}

/// The JSON object of a metric.
#[derive(Serialize)]
struct Family<'a> {
    name: &'static str,
    r#type: &'static str,
    help: &'static str,
    samples: Vec<Row<'a>>,
}

/// The JSON object of a sample.
#[derive(Serialize)]
struct Row<'a> {
    labels: BTreeMap<&'static str, &'a str>,
    value: Number,
}

impl Page {
    /// Adds a sample.
    pub(crate) fn add(&mut self, metric: &Metric, values: &[&str], number: impl Into<Number>) {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let number = number.into();
        self.samples.entry(metric.name).or_default().push(Sample { values, number });
    }

    /// The text.
    pub(crate) fn text(&self, format: Format) -> String {
        let mut text = String::new();
        for (metric, samples) in self.families() {
            text.push_str(&format.head(metric));
            for sample in samples {
                // Writing to a string cannot fail.
                let _ =
                    writeln!(text, "{}{} {}", metric.name, labels(metric, sample), sample.number);
            }
        }
        text.push_str("# EOF\n");
        text
    }

    /// The JSON objects of the metrics.
    pub(crate) fn json(&self) -> impl Serialize {
        self.families().map(family).collect::<Vec<_>>()
    }

    /// The metrics with samples.
    fn families(&self) -> impl Iterator<Item = (&'static Metric, &[Sample])> {
        let samples =
            |metric: &'static Metric| Some((metric, self.samples.get(metric.name)?.as_slice()));
        ALL.into_iter().filter_map(samples)
    }
}

fn family<'a>((metric, samples): (&'static Metric, &'a [Sample])) -> Family<'a> {
    Family {
        name: metric.name,
        r#type: metric.kind.word(),
        help: metric.help,
        samples: samples.iter().map(|sample| row(metric, sample)).collect(),
    }
}

fn row<'a>(metric: &Metric, sample: &'a Sample) -> Row<'a> {
    let values = sample.values.iter().map(String::as_str);
    Row { labels: metric.labels.iter().copied().zip(values).collect(), value: sample.number }
}

fn labels(metric: &Metric, sample: &Sample) -> String {
    let label = |(name, value): (&&str, &String)| format!("{name}=\"{}\"", escape(value));
    let labels: Vec<String> = metric.labels.iter().zip(&sample.values).map(label).collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

/// The value of a label in the text format.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::{Format, Page};
    use crate::metrics::catalog;

    #[test]
    fn text_and_json_have_the_same_samples() {
        let mut page = Page::default();
        page.add(&catalog::RUN_SECONDS, &["/s\"i\\f\n", "add"], 0.5);
        page.add(&catalog::WITHOUT_SIZE, &[], 7_u64);
        page.add(&catalog::IMAGES, &["/a"], 3_u64);
        page.add(&catalog::IMAGES, &["/b"], u64::MAX);
        let text = page.text(Format::Prometheus);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE sifcache_hits_without_size_total counter",
                "sifcache_hits_without_size_total 7",
                "# TYPE sifcache_images gauge",
                "sifcache_images{root=\"/a\"} 3",
                "sifcache_images{root=\"/b\"} 18446744073709551615",
                "# TYPE sifcache_last_run_duration_seconds gauge",
                "sifcache_last_run_duration_seconds{root=\"/s\\\"i\\\\f\\n\",command=\"add\"} 0.5",
                "# EOF",
            ]
        );
        let json = serde_json::to_value(page.json()).unwrap();
        assert_eq!(json[1]["name"], "sifcache_images");
        assert_eq!(
            json[1]["samples"][0],
            serde_json::json!({"labels": {"root": "/a"}, "value": 3})
        );
        assert_eq!(json[2]["samples"][0]["labels"]["root"], "/s\"i\\f\n");
        assert_eq!(
            (json.as_array().unwrap().len(), &json[2]["samples"][0]["value"]),
            (3, &0.5.into())
        );
    }

    #[test]
    fn openmetrics_has_the_names_of_families() {
        let mut page = Page::default();
        page.add(&catalog::NOT_DOWNLOADED, &[], 8_u64);
        page.add(&catalog::LAUNCHES, &["task", "hit"], 2_u64);
        page.add(&catalog::RUN_SECONDS, &["/a", "add"], 0.5);
        page.add(&catalog::BUILD, &["1.0"], 1_u64);
        let text = page.text(Format::OpenMetrics);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE sifcache_launches counter",
                "sifcache_launches_total{path=\"task\",outcome=\"hit\"} 2",
                "# TYPE sifcache_not_downloaded_bytes counter",
                "# UNIT sifcache_not_downloaded_bytes bytes",
                "sifcache_not_downloaded_bytes_total 8",
                "# TYPE sifcache_last_run_duration_seconds gauge",
                "# UNIT sifcache_last_run_duration_seconds seconds",
                "sifcache_last_run_duration_seconds{root=\"/a\",command=\"add\"} 0.5",
                "# TYPE sifcache_build info",
                "sifcache_build_info{version=\"1.0\"} 1",
                "# EOF",
            ]
        );
        assert!(text.contains("\n# HELP sifcache_build Release of "), "{text}");
    }
}
