//! The list of metrics, compared with docs/metrics.md, the alert rules and the dashboard.

mod promql;

use super::{ALL, Kind, Metric};
use serde_json::Value;
use std::collections::BTreeSet;

/// The page for admins.
const PAGE: &str = include_str!("../../../../../docs/metrics.md");
const RULES: &str = include_str!("../../../../../examples/metrics/sifcache.rules.yml");
const TESTS: &str = include_str!("../../../../../examples/metrics/sifcache.rules.test.yml");
const DASHBOARD: &str = include_str!("../../../../../examples/metrics/sifcache-dashboard.json");

fn row(metric: &Metric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {} | {} | ", metric.name, metric.kind.word(), labels.join(", "))
}

#[test]
fn the_page_has_a_row_for_each_metric() {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `sifcache_"));
    let found: Vec<&str> = rows.collect();
    let expected: Vec<String> = ALL.into_iter().map(row).collect();
    assert_eq!(found.len(), expected.len(), "docs/metrics.md");
    for (row, expected) in found.iter().zip(&expected) {
        assert!(row.starts_with(expected.as_str()), "{row}\n{expected}");
    }
}

#[test]
fn names_follow_the_conventions() {
    let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), ALL.len());
    for metric in ALL {
        assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{metric:?}");
        assert!(metric.help.ends_with('.') && !metric.help.contains(['\n', '\\']), "{metric:?}");
        // Labels of Prometheus itself and of its jobs.
        let reserved = ["job", "instance", "user", "uid", "le", "quantile"];
        assert!(metric.labels.iter().all(|label| !reserved.contains(label)), "{metric:?}");
    }
}

/// The problems of a query: metrics that do not exist, and labels that they do not have.
fn problems(query: &str) -> Vec<String> {
    let parsed = promql::parse(query);
    let mut problems = Vec::new();
    let mut labels: BTreeSet<&str> = ["instance"].into();
    for (name, selected) in &parsed.metrics {
        match ALL.iter().find(|metric| metric.name == *name) {
            Some(metric) => {
                labels.extend(metric.labels);
                let known = |label: &&String| {
                    label == &"instance" || metric.labels.contains(&label.as_str())
                };
                let wrong = selected.iter().filter(|label| !known(label));
                problems.extend(wrong.map(|label| format!("{name} has no label {label}")));
            }
            None => problems.push(format!("there is no metric {name}")),
        }
    }
    if parsed.metrics.is_empty() {
        problems.push("the query names no metric".to_owned());
    }
    let wrong = parsed.grouped.iter().filter(|label| !labels.contains(label.as_str()));
    problems.extend(wrong.map(|label| format!("no metric has a label {label}")));
    problems
}

#[test]
fn a_misspelt_query_is_noticed() {
    for (query, count) in [
        ("time() - max(sifcache_last_lookup_timestamp_seconds{instance=~\"$instance\"})", 0),
        ("sum by (node, instance) (rate(sifcache_lookups_total{outcome!=\"hit\"}[5m])) > 1e3", 0),
        ("1 - sifcache_root_free_bytes / on (root) group_left () sifcache_root_size_bytes", 0),
        ("sifcache_images offset 1h unless sifcache_image_bytes == 0", 0),
        ("sum(rate(sifcache_lookup_total[5m]))", 1),
        ("sum by (nod) (rate(sifcache_lookups_total[5m]))", 1),
        ("sifcache_lookups_total{outcom=\"sifcache_images\"}", 1),
        ("sifcache_images / sifcache_image_bites", 1),
        ("sum(up)", 1),
        ("vector(1)", 1),
    ] {
        assert_eq!(problems(query).len(), count, "{query}: {:?}", problems(query));
    }
}

/// An alert: its name, its expression, and its other lines.
fn alerts() -> Vec<(String, String, Vec<String>)> {
    let mut alerts: Vec<(String, String, Vec<String>)> = Vec::new();
    let mut in_expression = false;
    for line in RULES.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let text = line.trim();
        if let Some(name) = text.strip_prefix("- alert: ") {
            alerts.push((name.to_owned(), String::new(), Vec::new()));
            continue;
        }
        let Some((_, expression, rest)) = alerts.last_mut() else { continue };
        if let Some(begin) = text.strip_prefix("expr: ") {
            in_expression = true;
            *expression = begin.trim_start_matches(">-").to_owned();
        } else if in_expression && line.starts_with("          ") {
            expression.push(' ');
            expression.push_str(text);
        } else {
            in_expression = false;
            rest.push(text.to_owned());
        }
    }
    alerts
}

#[test]
fn every_rule_names_existing_metrics() {
    let alerts = alerts();
    assert!(alerts.len() > 10);
    for (name, expression, _) in alerts {
        assert_eq!(problems(&expression), [""; 0], "{name}: {expression}");
    }
}

/// The anchor that a heading has on the page.
fn anchor(heading: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == ' ';
    let text: String = heading.chars().filter(|c| keep(*c)).collect();
    text.to_lowercase().replace(' ', "-")
}

#[test]
fn every_alert_is_described_and_tested() {
    let headings = PAGE.lines().filter_map(|line| line.strip_prefix("### "));
    let anchors: Vec<String> = headings.map(anchor).collect();
    let alerts = alerts();
    for (name, _, lines) in &alerts {
        for key in ["severity: ", "summary: ", "description: ", "runbook: "] {
            let value = lines.iter().find_map(|line| line.strip_prefix(key));
            assert!(value.is_some_and(|value| value.len() > 3), "{name} has no {key}");
        }
        let runbook = lines.iter().find_map(|line| line.strip_prefix("runbook: docs/metrics.md#"));
        assert_eq!(runbook, Some(name.to_lowercase().as_str()), "{name}");
        assert!(anchors.iter().any(|one| Some(one.as_str()) == runbook), "{name} has no section");
        // Once before it fires and once after.
        let test = format!("(ALERTS{{alertname=\"{name}\",alertstate=\"firing\"}})");
        assert_eq!(TESTS.matches(&test).count(), 2, "{name} has no test");
    }
    assert_eq!(anchors.len(), alerts.len(), "docs/metrics.md describes alerts that do not exist");
}

/// The queries in a dashboard.
fn queries<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "expr" => found.push(text),
                    Value::String(text) if key == "query" && text.contains("label_values(") => {
                        let inner = text.trim_start_matches("label_values(");
                        found.push(inner.rsplit_once(',').unwrap().0);
                    }
                    value => queries(value, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn every_query_of_the_dashboard_names_existing_metrics() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    assert!(found.len() > 25, "{}", found.len());
    for query in &found {
        assert_eq!(problems(query), [""; 0], "{query}");
    }
    // What the page promises to show is shown.
    for metric in ALL.iter().filter(|metric| metric.name.contains("lookups")) {
        assert!(found.iter().any(|query| query.contains(metric.name)), "{}", metric.name);
    }
}

/// The series of a node, a reference or a reason begin with their first lookup, which Prometheus does
/// not count as an increase: on a new cluster, a sum over them stays at zero after the first jobs.
#[test]
fn sums_over_all_lookups_use_series_that_exist_from_the_beginning() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    let alerts = alerts();
    found.extend(alerts.iter().map(|(_, expression, _)| expression.as_str()));
    let begin_late = [&super::LOOKUPS, &super::IMAGES_LOOKUPS];
    for query in found {
        let parsed = promql::parse(query);
        let late = begin_late
            .iter()
            .any(|metric| parsed.metrics.iter().any(|(name, _)| name == metric.name));
        let needs_them = parsed
            .grouped
            .iter()
            .any(|label| ["node", "reference", "reason"].contains(&label.as_str()));
        assert!(!late || needs_them, "use {}: {query}", super::LAUNCHES.name);
    }
}

#[test]
fn the_panels_of_the_dashboard_do_not_overlap() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut cells = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(numbers.insert(panel["id"].as_u64().unwrap()), "{}", panel["title"]);
        let side = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        for x in side("x")..side("x") + side("w") {
            assert!(x < 24, "{}", panel["title"]);
            for y in side("y")..side("y") + side("h") {
                assert!(cells.insert((x, y)), "{} overlaps another panel", panel["title"]);
            }
        }
        let has_text = panel["type"] == "row" || panel["description"].as_str().is_some();
        assert!(has_text, "{} has no description", panel["title"]);
    }
}
