//! The machine and the software of the measurements.

use crate::testbed;
use anyhow::Result;
use std::fs;

/// Returns pairs of a label and a name or version.
pub(crate) fn describe() -> Result<Vec<(String, String)>> {
    let on_node =
        |script: &str| Ok::<_, anyhow::Error>(testbed::on("n1", script)?.trim().to_owned());
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    let rows = [
        ("processor", format!("{}, {threads} threads", processor())),
        ("memory", format!("{} GB", memory() / 1_000_000)),
        ("kernel", on_node("uname -r | grep -o '^[0-9.]*[0-9]'")?),
        ("Debian", on_node(". /etc/os-release; echo \"$PRETTY_NAME\"")?),
        ("Slurm", on_node("slurmd -V | cut -d ' ' -f 2")?),
        ("Apptainer", on_node("apptainer --version | grep -o '[0-9].*'")?),
        ("cluster", "two nodes and the registry, all on this machine".to_owned()),
        ("sifcache", env!("CARGO_PKG_VERSION").to_owned()),
        ("date", jiff::Zoned::now().strftime("%Y-%m-%d").to_string()),
    ];
    Ok(rows.map(|(what, value)| (what.to_owned(), value)).to_vec())
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name).to_owned()
}

/// The memory, in KB.
fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("MemTotal:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default()
}
