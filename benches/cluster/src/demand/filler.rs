//! `sifcache fill` on the login node, which receives the log lines of all hosts.

use crate::site::ROOT;
use crate::testbed;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The output of the filler, on the login node.
pub(super) const OUTPUT: &str = "/shared/fill.json";
/// The policy.
pub(super) const POLICY: &str = "/etc/sifcache/fill.toml";
/// The process ID of the filler.
const PROCESS: &str = "/run/sifcache-fill.pid";

/// A policy that allows all images. Lines of a central log identify nobody. With `quiet`, nothing is
/// pulled yet.
pub(super) fn policy(quiet: bool) -> String {
    let hours = if quiet { "quiet = [\"00:00-12:00\", \"12:00-24:00\"]\n" } else { "" };
    format!("allow = [\"**\"]\nunidentified = \"count\"\n{hours}")
}

/// A script that stops the filler, removes all images and all state, and starts the filler again.
/// It ends when the filler serves requests, from `input`: options of the command. The file `log` is
/// emptied.
pub(super) fn restart(input: &str, log: &str, quiet: bool) -> String {
    format!(
        "{}
        rm -rf {ROOT}; install -d -m 755 {ROOT}
        install -d /etc/sifcache; cat >{POLICY} <<'END'
{}END
        : >{log}
        setsid sifcache fill --follow --json --root {ROOT} {input} </dev/null >{OUTPUT} 2>{OUTPUT}.err &
        echo $! >{PROCESS}
        until [ -e {ROOT}/.sifcache/queue/beat ]; do
            kill -0 $! || {{ cat {OUTPUT}.err >&2; exit 1; }}
            sleep 0.02
        done",
        stop(),
        policy(quiet)
    )
}

/// A script that stops the filler, if it runs.
pub(super) fn stop() -> String {
    format!(
        "if [ -e {PROCESS} ]; then
            filler=$(cat {PROCESS}); kill $filler || :
            while kill -0 $filler 2>/dev/null; do sleep 0.02; done
            rm {PROCESS}
        fi"
    )
}

/// The peak memory of the running filler, in MB.
///
/// # Errors
/// The filler does not run.
pub(super) fn memory() -> Result<f64> {
    let text = testbed::on("ctl", &format!("grep VmHWM /proc/$(cat {PROCESS})/status"))?;
    let number = text.split_whitespace().nth(1).context("no VmHWM")?;
    Ok(number.parse::<f64>()? * 1024.0 / 1e6)
}

/// A line of the filler's output.
#[derive(Deserialize)]
struct Line {
    event: String,
    reference: Option<String>,
}

/// How often the filler has reported each event of each image: by reference, then by event.
///
/// # Errors
/// The output cannot be read.
pub(super) fn events() -> Result<BTreeMap<String, BTreeMap<String, usize>>> {
    let mut all = BTreeMap::<String, BTreeMap<String, usize>>::new();
    for line in std::fs::read_to_string(super::shared(OUTPUT)?)?.lines() {
        let line: Line = serde_json::from_str(line).with_context(|| line.to_owned())?;
        if let Some(reference) = line.reference {
            *all.entry(reference).or_default().entry(line.event).or_default() += 1;
        }
    }
    Ok(all)
}
