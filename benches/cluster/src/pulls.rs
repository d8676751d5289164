//! Pulls of an image in the cache: the shim compared with cp(1) and with the runtime.

mod local;

use crate::experiment::{Experiment, Timed, Variant};
use crate::site::{self, LINE, NONE, image, sif};
use crate::statistics::summary;
use crate::testbed;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// The size of the image, in MB.
const SIZE: u32 = 1000;

/// Times of two commands that took turns, in seconds.
struct Pair {
    ours: Vec<f64>,
    other: Vec<f64>,
}

impl Pair {
    fn medians(&self) -> (f64, f64) {
        (summary(&self.ours).median, summary(&self.other).median)
    }
}

/// Measures on this machine and on the cluster, and writes the page. `build` has the shim and the
/// other programs, `host` those of benches/host; `None` leaves out the cluster.
///
/// # Errors
/// A command fails, or an image cannot be written.
pub(crate) fn run(build: &Path, host: Option<&Path>, into: &Path, rounds: usize) -> Result<()> {
    let local = local::Local::new(&build.join("sifcache-shim"))?;
    let copy = local.copy(rounds)?;
    let memory = local.peak_memory()?;
    let linked = local.link(rounds)?;
    let reflinks: Vec<(&str, Vec<f64>)> = ["xfs", "btrfs"]
        .into_iter()
        .filter_map(|kind| Some((kind, local.reflink(kind, rounds).ok()?)))
        .collect();
    drop(local);
    let runtime = host.map(|host| runtime(build, host)).transpose()?;
    let page = page(&copy, memory, &linked, &reflinks, runtime.as_ref())?;
    fs::write(into, page).with_context(|| into.display().to_string())
}

/// Pulls on the login node: by the shim from the cache, and by the runtime from a registry on this
/// machine, without anything in its own cache.
fn runtime(build: &Path, host: &Path) -> Result<Pair> {
    site::install(build, host)?;
    site::fill(std::iter::once(SIZE))?;
    let pull = |program: &str| {
        Timed::new(&format!("{program} pull --force /srv/pulled docker://{}", image(SIZE)))
    };
    let shim = pull("/usr/libexec/sifcache/bin/apptainer").ends(0, "Using cached SIF image");
    let forget = "rm -rf /root/.apptainer /srv/pulled";
    let experiment = Experiment {
        name: "a pull of an image of 1 GB".to_owned(),
        compared: true,
        warm_up: 0,
        rounds: 2,
        variants: vec![
            Variant::new("shim", shim)
                .plugstack(LINE)
                .after(&format!("{forget}; cat {} >/dev/null", sif(SIZE))),
            Variant::new("runtime", pull("/usr/bin/apptainer")).plugstack(NONE).after(forget),
        ],
    };
    let taken = testbed::measure(&experiment)?;
    let [ours, other] = taken.as_slice() else { anyhow::bail!("two variants") };
    Ok(Pair { ours: ours.seconds.clone(), other: other.seconds.clone() })
}

fn page(
    copy: &Pair,
    memory: f64,
    linked: &[f64],
    reflinks: &[(&str, Vec<f64>)],
    runtime: Option<&Pair>,
) -> Result<String> {
    ensure!(!copy.ours.is_empty(), "no measurement");
    let (ours, cp) = copy.medians();
    let mut rows = vec![
        format!("| copy, `cp --reflink=never` | {cp:.2} s | |"),
        format!("| copy, the shim | {ours:.2} s, {:.2} times | 1.1 times |", ours / cp),
        format!("| peak memory of the shim | {memory:.1} MB | 8 MB |"),
        format!("| link (`pull=link`) | {:.1} ms | |", summary(linked).median * 1e3),
    ];
    for (kind, seconds) in reflinks {
        let median = summary(seconds).median * 1e3;
        rows.push(format!("| reflink on {kind} | {median:.1} ms | 10 ms |"));
    }
    if let Some(pair) = runtime {
        let (cached, pulled) = pair.medians();
        rows.push(format!("| the runtime, from a registry on this machine | {pulled:.1} s | |"));
        rows.push(format!(
            "| the shim, from the cache | {cached:.2} s, {:.0} times faster | 20 times |",
            pulled / cached
        ));
    }
    Ok(format!(
        "# Benchmarks of pulls\n\n`make bench-pulls` writes this page. An image of 1 GB is in the \
         image root and in the page cache; the\nimage of the runtime has layers of 1 GB. The values \
         are medians of {} rounds ({} with the runtime), in\nwhich the commands of a comparison take \
         turns.\n\n| what | measured | target |\n| --- | --- | --- |\n{}\n",
        copy.ours.len(),
        runtime.map_or(0, |pair| pair.ours.len()),
        rows.join("\n")
    ))
}
