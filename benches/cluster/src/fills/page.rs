//! The page of the results.

use super::Measured;
use super::reads::Seconds;
use super::sample::{Sample, Variant};
use crate::machine;
use crate::statistics::summary;
use anyhow::Result;

/// The page in Markdown. `enroot` is the release of enroot, if it was measured.
pub(super) fn page(
    all: &[Measured],
    variants: &[Variant],
    reads: &[Seconds],
    enroot: Option<String>,
    rounds: usize,
) -> Result<String> {
    let machine: Vec<String> = machine::describe()?
        .into_iter()
        .filter(|(what, _)| !matches!(what.as_str(), "Slurm" | "cluster"))
        .chain(enroot.map(|release| ("enroot".to_owned(), release)))
        .map(|(what, value)| format!("| {what} | {value} |"))
        .collect();
    let images: Vec<String> = all.iter().flat_map(|image| image_rows(image, variants)).collect();
    let bounds: Vec<String> = all.iter().filter_map(bound_row).collect();
    let reads: Vec<String> = reads.iter().map(read_row).collect();
    Ok(format!(
        "# Benchmarks of fills\n\n`make bench-fill` writes this page. An image is fetched from a \
         registry on the same host and converted\nto a SIF file. Values are medians of {rounds} \
         rounds, in which the commands take turns. The runtime's \
         cache is\noff, and its temporary files are on disk.\n\n- `big` has 300 MB that do not \
         compress.\n- `many` has 28,000 small files: a tree, and two copies of it in upper \
         layers.\n- `real` has 2 GB of Debian and Python in 8 layers.\n\n{}\n\n\
         CPU is the processor time of all processes, memory the peak of the largest process, and \
         disk the\nlargest number of bytes on disk beside the new image.\n\n{}\n\n\
         ## Lower bound\n\nProcessor seconds of separate programs that do only this work: \
         `sha256sum` and `igzip -d` with the layers,\n`zstd -3` with what is in them. The bound is \
         their sum, divided by the number of processors. Files that\noccur several times in an \
         image are compressed only once by sifcache, so it can be below the bound.\n\n{}\n\n\
         ## Reads\n\nSeconds of a command in the image, by an ordinary user. `cold`: nothing of \
         the image is in memory.\n\n{}\n\n## Machine\n\n{}\n",
        LEGEND,
        table("image | command | time | CPU | memory | disk | size", &images),
        table("image | digest | decompress | compress | bound | sifcache, zstd", &bounds),
        table("what | apptainer pull | sifcache, zstd | sifcache, gzip", &reads),
        table("what | value", &machine)
    ))
}

const LEGEND: &str = "In parentheses: how many times less than `apptainer pull`.";

fn table(head: &str, rows: &[String]) -> String {
    let columns = head.split(" | ").map(|_| "---").collect::<Vec<_>>().join(" | ");
    format!("| {head} |\n| {columns} |\n{}", rows.join("\n"))
}

fn median(samples: &[Sample], field: fn(&Sample) -> f64) -> f64 {
    summary(&samples.iter().map(field).collect::<Vec<_>>()).median
}

fn image_rows(image: &Measured, variants: &[Variant]) -> Vec<String> {
    let seconds: fn(&Sample) -> f64 = |sample| sample.seconds;
    let cpu: fn(&Sample) -> f64 = |sample| sample.cpu;
    let runtime = image.samples.first().map_or(&[][..], Vec::as_slice);
    let rows = variants.iter().zip(&image.samples).zip(&image.disk).enumerate();
    rows.map(|(index, ((variant, samples), disk))| {
        let times = |field: fn(&Sample) -> f64| {
            let value = median(samples, field);
            if index == 0 {
                return format!("{value:.1} s");
            }
            format!("{value:.1} s ({:.1})", median(runtime, field) / value)
        };
        format!(
            "| {} | {} | {} | {} | {:.0} MB | {:.0} MB | {:.0} MB |",
            image.name,
            variant.name,
            times(seconds),
            times(cpu),
            median(samples, |sample| sample.memory),
            *disk as f64 / 1e6,
            median(samples, |sample| sample.size)
        )
    })
    .collect()
}

fn bound_row(image: &Measured) -> Option<String> {
    let bound = image.bound.as_ref()?;
    let zstd = median(image.samples.get(1)?, |sample| sample.seconds);
    let least = bound.seconds();
    Some(format!(
        "| {} | {:.1} s | {:.1} s | {:.1} s | {least:.1} s | {zstd:.1} s, {:.2} times |",
        image.name,
        bound.digest,
        bound.decompress,
        bound.compress,
        zstd / least
    ))
}

fn read_row(seconds: &Seconds) -> String {
    let first = seconds.medians.first().copied().unwrap_or_default();
    let others = seconds.medians.iter().skip(1);
    let others: Vec<String> =
        others.map(|value| format!("{value:.2} s, {:.2} times", value / first)).collect();
    format!("| {} | {first:.2} s | {} |", seconds.what, others.join(" | "))
}
