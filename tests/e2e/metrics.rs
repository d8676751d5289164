//! `sifcache metrics` with the real daemons: launches of a real Slurm, whose lines rsyslog sends to
//! a central log, a real node_exporter that reads the file, and a real Prometheus that scrapes it.

use crate::kit::{IMAGE, OTHER, Output, Site, testbed};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const LOG: &str = "/var/log/central/slurm";
const STATE: &str = "/tmp/sifcache-metrics/state.json";
const TEXTFILES: &str = "/var/lib/prometheus/node-exporter";
/// Reads one query per line, and prints the results of Prometheus' HTTP API, one per line.
const QUERY: &str = r#"
import json, sys, urllib.parse, urllib.request
for line in sys.stdin:
    words = urllib.parse.urlencode({"query": line.strip()})
    try:
        answer = urllib.request.urlopen("http://hub:9090/api/v1/query?" + words).read()
    except urllib.error.HTTPError as error:
        answer = error.read()
    print(json.dumps(json.loads(answer)))
"#;
/// A second rsyslogd on ctl, which takes the lines of the nodes.
const COLLECT: &str = r#"
mkdir -p /var/log/central
cat >/run/central.conf <<'END'
module(load="imtcp")
$FileCreateMode 0644
input(type="imtcp" port="5514" ruleset="central")
ruleset(name="central") { action(type="omfile" file="/var/log/central/slurm" template="RSYSLOG_FileFormat") }
END
rsyslogd -f /run/central.conf -i /run/central.pid
for n in $(seq 250); do (: >/dev/tcp/127.0.0.1/5514) 2>/dev/null && exit; sleep 0.02; done; exit 1
"#;
/// Restarts the rsyslogd of a node with a line more or less in its configuration.
const RESTART: &str = "pkill -x rsyslogd; while pgrep -x rsyslogd >/dev/null; do sleep 0.02; done; \
    rm -f /run/rsyslogd.pid; rsyslogd";

fn sh(site: &Site, host: &str, script: &str) -> Output {
    let output = site.exec(&["--on", host], &["bash", "-c", script], "");
    assert_eq!(output.status, 0, "{script}: {output:#?}");
    output
}

/// Central logging, Prometheus and node_exporter, until this is dropped.
struct Monitored<'a>(&'a Site);

impl<'a> Monitored<'a> {
    fn new(site: &'a Site) -> Self {
        let monitored = Self(site);
        sh(site, "ctl", &format!("rm -rf {STATE} {LOG}* {TEXTFILES}/*; {COLLECT}"));
        for node in ["n1", "n2"] {
            sh(site, node, &format!("echo '*.* @@ctl:5514' >>/etc/rsyslog.conf; {RESTART}"));
        }
        let rules = site.at("hub", "/etc/prometheus/rules.yml");
        fs::copy(example("sifcache.rules.yml"), rules).unwrap();
        let output = testbed("prometheus", &[], &["start"], "");
        assert_eq!(output.status, 0, "{output:#?}");
        monitored
    }

    /// Waits until the central log has this many lines with a text.
    fn logged(&self, text: &str, count: usize) {
        let read = || fs::read_to_string(self.0.at("ctl", LOG)).unwrap_or_default();
        let limit = Instant::now() + Duration::from_secs(10);
        while read().matches(text).count() < count {
            assert!(Instant::now() < limit, "{text:?} is missing:\n{}", read());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs `sifcache metrics`.
    fn run(&self) {
        let words = ["metrics", "--textfile", TEXTFILES, "--state", STATE, "--log", LOG];
        let output = self.0.exec(&[], &[&["sifcache"], &words[..]].concat(), "");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:#?}");
    }

    /// Prometheus' answers to queries.
    fn query(&self, queries: &[String]) -> Vec<Value> {
        let input = queries.iter().map(|query| format!("{query}\n")).collect::<String>();
        let output = self.0.exec(&[], &["python3", "-c", QUERY], &input);
        assert_eq!(output.status, 0, "{output:#?}");
        output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until Prometheus has this value.
    fn has(&self, query: &str, expected: &str) {
        let limit = Instant::now() + Duration::from_secs(10);
        loop {
            let answers = self.query(&[query.to_owned()]);
            let result = &answers[0]["data"]["result"];
            if result[0]["value"][1] == expected {
                assert_eq!(result.as_array().unwrap().len(), 1, "{query}: {answers:#?}");
                return;
            }
            let text = fs::read_to_string(self.0.at("ctl", TEXTFILES).join("sifcache.prom"));
            assert!(Instant::now() < limit, "{query} is not {expected}: {answers:#?}\n{text:?}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Monitored<'_> {
    fn drop(&mut self) {
        testbed("prometheus", &[], &["stop"], "");
        for node in ["n1", "n2"] {
            let script = format!("sed -i '/@@ctl:5514/d' /etc/rsyslog.conf; {RESTART}");
            self.0.exec(&["--on", node], &["bash", "-c", &script], "");
        }
        let end = format!("kill $(cat /run/central.pid); rm -rf {LOG}* {TEXTFILES}/* {STATE}");
        self.0.exec(&[], &["bash", "-c", &end], "");
        let _ = fs::remove_file(self.0.at("hub", "/etc/prometheus/rules.yml"));
    }
}

/// A file of the examples.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/metrics").join(name)
}

/// The queries in the dashboard, with values in place of its variables.
fn dashboard(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| match value {
            Value::String(text) if key == "expr" => {
                let text = text.replace("$__range", "1h").replace("$__rate_interval", "1m");
                found.push(text.replace("$instance", ".*").replace("$root", ".*"));
            }
            value => dashboard(value, found),
        }),
        Value::Array(all) => all.iter().for_each(|value| dashboard(value, found)),
        _ => {}
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn prometheus_has_what_jobs_found() {
    let site = Site::new("");
    let path = site.store(IMAGE, IMAGE);
    let monitored = Monitored::new(&site);
    sh(&site, "n1", "logger hello");
    monitored.logged("hello", 1);
    monitored.run();
    monitored.has("sifcache_launches_total{path=\"task\",outcome=\"hit\"}", "0");
    let docker = format!("docker://{IMAGE}");
    let output = site.launch(&["-w", "n1", "-n2"], &docker);
    assert_eq!(output.stdout.matches(IMAGE).count(), 2, "{output:#?}");
    let script = format!("apptainer exec {docker} cat /etc/image-name");
    let output = site.srun(&["-w", "n2", "bash", "-c", &script]);
    output.ran(IMAGE);
    monitored.logged("event=hit", 2);
    // As logrotate does. The daemon goes on writing to the old file until it gets the signal.
    sh(&site, "ctl", &format!("mv {LOG} {LOG}.1"));
    let missing = format!("docker://{OTHER}");
    site.launch(&["-w", "n2"], &missing).tried_the_registry();
    let limit = Instant::now() + Duration::from_secs(10);
    let old = site.at("ctl", &format!("{LOG}.1"));
    while !fs::read_to_string(&old).unwrap().contains("event=miss") {
        assert!(Instant::now() < limit, "the miss is not in the old file");
        thread::sleep(Duration::from_millis(20));
    }
    sh(&site, "ctl", "kill -HUP $(cat /run/central.pid)");
    site.launch(&["-w", "n1"], &docker).ran(IMAGE);
    monitored.logged("event=hit", 1);
    monitored.run();
    monitored.run();
    let size = fs::metadata(&path).unwrap().len();
    for (query, expected) in [
        ("sifcache_lookups_total{node=\"n1\",outcome=\"hit\"}", 3),
        ("sifcache_lookups_total{node=\"n2\",outcome=\"hit\",reason=\"found\"}", 1),
        ("sifcache_lookups_total{node=\"n2\",outcome=\"miss\",reason=\"absent\"}", 1),
        ("sum(sifcache_launches_total{path=\"shim\"})", 1),
        ("sum(sifcache_launches_total{path=\"task\",instance=\"ctl:9100\"})", 4),
        ("sum(sifcache_image_lookups_total{outcome=\"hit\"})", 4),
        ("sifcache_not_downloaded_bytes_total", 4 * size),
        ("sifcache_images{root=\"/shared/sif\"}", 1),
        ("sifcache_image_bytes{root=\"/shared/sif\"}", size),
        ("sifcache_images{root=\"/local/sif\"}", 0),
        ("sifcache_log_problems_total{problem=\"gap\"}", 0),
        ("sifcache_plugin_info", 1),
        ("node_textfile_scrape_error", 0),
    ] {
        monitored.has(query, &expected.to_string());
    }
    let check = format!("promtool check metrics <{TEXTFILES}/sifcache.prom");
    let output = sh(&site, "ctl", &check);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    let types = "from urllib.request import urlopen; print(urlopen('http://ctl:9100/metrics').read().decode())";
    let output = site.exec(&[], &["python3", "-c", types], "");
    for line in ["# TYPE sifcache_lookups_total counter", "# TYPE sifcache_build_info gauge"] {
        assert!(output.stdout.contains(line), "{line}: {}", output.stdout);
    }
    every_query_is_accepted(&monitored);
}

/// Hits and misses of real jobs, without Prometheus: on each release of Slurm and Debian.
#[test]
#[ignore = "needs a testbed: make test"]
fn hits_and_misses_of_jobs_are_counted() {
    const FILE: &str = "/home/metrics.log";
    let site = Site::new("");
    let path = site.store(IMAGE, IMAGE);
    let log = site.at("ctl", FILE);
    fs::write(&log, "").unwrap();
    sh(&site, "ctl", &format!("rm -rf {STATE}"));
    let metrics = || {
        let words = ["sifcache", "metrics", "--state", STATE, "--log", FILE];
        let output = site.exec(&[], &words, "");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:#?}");
        output.stdout
    };
    // The first run begins with the lines after it.
    metrics();
    let docker = format!("docker://{IMAGE}");
    site.launch(&["-w", "n1", "-n2"], &docker);
    site.srun(&["-w", "n2", "bash", "-c", &format!("apptainer exec {docker} true")]);
    site.launch(&["-w", "n2"], &format!("docker://{OTHER}")).tried_the_registry();
    for (node, text) in [("n1", "event=hit"), ("n2", "event=hit"), ("n2", "event=miss")] {
        site.logged(node, text);
    }
    fs::write(&log, site.log("n1") + &site.log("n2")).unwrap();
    let text = metrics();
    let size = fs::metadata(&path).unwrap().len();
    for (sample, value) in [
        ("sifcache_lookups_total{node=\"n1\",outcome=\"hit\",reason=\"found\"}", 2),
        ("sifcache_lookups_total{node=\"n2\",outcome=\"hit\",reason=\"found\"}", 1),
        ("sifcache_lookups_total{node=\"n2\",outcome=\"miss\",reason=\"absent\"}", 1),
        ("sifcache_launches_total{path=\"shim\",outcome=\"hit\"}", 1),
        ("sifcache_launches_total{path=\"task\",outcome=\"hit\"}", 2),
        ("sifcache_images{root=\"/shared/sif\"}", 1),
        ("sifcache_not_downloaded_bytes_total", 3 * size),
    ] {
        assert!(text.contains(&format!("\n{sample} {value}\n")), "{sample} {value}: {text}");
    }
    assert!(text.contains("\nsifcache_plugin_info{"), "{text}");
    assert_eq!(metrics().matches("} 2\n").count(), text.matches("} 2\n").count());
    fs::remove_file(&log).unwrap();
    sh(&site, "ctl", &format!("rm -rf {STATE}"));
}

/// Prometheus accepts each query of the dashboard, and most of them find something.
fn every_query_is_accepted(monitored: &Monitored<'_>) {
    let text = fs::read_to_string(example("sifcache-dashboard.json")).unwrap();
    let mut queries = Vec::new();
    dashboard(&serde_json::from_str(&text).unwrap(), &mut queries);
    let answers = monitored.query(&queries);
    let mut empty = Vec::new();
    for (query, answer) in queries.iter().zip(&answers) {
        assert_eq!(answer["status"], "success", "{query}: {answer:#}");
        if answer["data"]["result"].as_array().unwrap().is_empty() {
            empty.push(query);
        }
    }
    assert!(queries.len() > 25 && empty.len() < queries.len() / 3, "{empty:#?}");
    let firing = "count(ALERTS{alertstate=\"firing\"}) or vector(0)";
    monitored.has(firing, "0");
}

/// The rules, with the promtool of this release.
#[test]
#[ignore = "needs a testbed: make test"]
fn promtool_accepts_the_rules_and_their_tests() {
    let site = Site::new("");
    let directory = site.at("ctl", "/tmp/rules");
    fs::create_dir_all(&directory).unwrap();
    for name in ["sifcache.rules.yml", "sifcache.rules.test.yml"] {
        fs::copy(example(name), directory.join(name)).unwrap();
    }
    let check = "cd /tmp/rules && promtool check rules sifcache.rules.yml";
    let output = sh(&site, "ctl", check);
    assert!(output.stdout.contains("SUCCESS: 13 rules found"), "{output:#?}");
    let test = "cd /tmp/rules && promtool test rules sifcache.rules.test.yml";
    let output = sh(&site, "ctl", test);
    assert!(output.stdout.contains("SUCCESS"), "{output:#?}");
    // The tests notice a rule that has become wrong.
    let rules = directory.join("sifcache.rules.yml");
    let text = fs::read_to_string(&rules).unwrap();
    for (right, wrong) in [("> 900", "> 90"), ("== 0\n        for: 10m", "== 0\n        for: 1m")] {
        assert!(text.contains(right), "{right}");
        fs::write(&rules, text.replace(right, wrong)).unwrap();
        let output = site.exec(&[], &["bash", "-c", test], "");
        assert_eq!(output.status, 1, "{wrong}: {output:#?}");
    }
    fs::remove_dir_all(&directory).unwrap();
}
