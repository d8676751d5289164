//! The requests of a launch to a file server, and those of the runtime to a registry. The file system
//! is that of the faults, without a fault. `tests/host/file_server` counts the requests of other
//! launches.

use super::mounted::{Mounted, ROOT};
use super::second_plugin;
use super::{NAME, WITHOUT, of_root_with, on_n1};
use crate::kit::registry::{misbehaving, move_tag};
use crate::kit::{IMAGE, Site, WHICH, with_hub};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const LOG: &str = "/tmp/requests";

/// The first launch after the mount, and the second one. The runtime is a program that reads no
/// image.
#[test]
#[ignore = "needs a testbed: make test"]
fn of_a_hit() {
    let site = Site::new("");
    second_plugin::install();
    let _mounted = Mounted::counting(&site, LOG);
    for settings in ["", "lookup_timeout=off"] {
        site.plugstack(&of_root_with(ROOT, settings));
        for _ in 0..2 {
            on_n1(&site, &format!(": >{LOG}"));
            let output = second_plugin::launch(&site, &[]);
            assert_eq!(output.stdout, format!("ran exec {ROOT}/{NAME} true\n"), "{output:#?}");
            let released = format!(
                "for n in $(seq 500); do grep -q release {LOG} && break; sleep 0.02; done; cat {LOG}"
            );
            let text = on_n1(&site, &released);
            let mut requests: Vec<&str> = text.lines().collect();
            requests.sort_unstable();
            let expected = ["getattr"; 2].into_iter().chain(["lookup"; 2]);
            let expected: Vec<&str> = expected.chain(["open", "read", "release"]).collect();
            assert_eq!(requests, expected, "{settings}");
        }
    }
}

/// The kinds of requests in the proxy's log, with their numbers.
fn kinds(requests: &[String]) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for request in requests {
        let (method, path) = request.split_once(' ').unwrap();
        let kind = match path {
            "/v2/" => "version",
            path if path.contains("/manifests/") => "manifest",
            path if path.contains("/blobs/") => "blob",
            path => path,
        };
        *kinds.entry(format!("{kind} ({method})")).or_default() += 1;
    }
    kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
}

/// A launch without the plugin. `tests/e2e/registry/proxy.py` logs the requests.
#[test]
#[ignore = "needs a testbed: make test"]
fn of_the_runtime_to_a_registry() {
    let site = Site::new("");
    site.plugstack(WITHOUT);
    with_hub(|| move_tag(IMAGE, NAME));
    let proxy = misbehaving("none");
    on_n1(&site, "rm -rf /tmp/node-cache");
    let environment = ["env", "APPTAINER_CACHEDIR=/tmp/node-cache"];
    let uri = format!("docker://{NAME}");
    let words = [&["-w", "n1"], &environment[..], &["apptainer", "exec", &uri], &WHICH].concat();
    let mut before = 0;
    for launch in ["the first on a node", "the next one of the same user"] {
        site.srun(&words).ran(IMAGE);
        let log = proxy.log();
        let all: Vec<String> = log.lines().skip(before).map(str::to_owned).collect();
        before += all.len();
        compare(&format!("| {launch} | {} | {} |", all.len(), kinds(&all)));
    }
    on_n1(&site, "rm -rf /tmp/node-cache");
}

/// Compares with the row of the page that starts with the same cell, or writes the row if
/// `SIFCACHE_BLESS=1`.
#[track_caller]
fn compare(new: &str) {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/evidence/file-server.md");
    let text = fs::read_to_string(&page).unwrap();
    let start = new.split_inclusive('|').take(2).collect::<String>();
    let row = text.lines().find(|line| line.starts_with(&start));
    let row = row.unwrap_or_else(|| panic!("{} has no row '{start}'", page.display()));
    if std::env::var_os("SIFCACHE_BLESS").is_some() {
        fs::write(&page, text.replace(row, new)).unwrap();
    } else {
        assert_eq!(row, new, "found on the right");
    }
}
