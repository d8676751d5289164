//! The shapes that a launch can have, and which value of `nested=` covers each:
//! `docs/launch-shapes.md`.
//!
//! Each runs with every value of `nested=` while the registry is down, so that only a hit can
//! succeed. The result is compared with the row of the table. With `SIFCACHE_BLESS=1` the row is
//! written instead.

mod modules;
mod parallel;
mod programs;
mod scripts;
mod steps;
mod table;

use crate::kit::{IMAGE, Output, Site};

/// A launch that prints the name of its image.
const LAUNCH: &str = "apptainer exec docker://o/i:1 cat /etc/image-name";

/// Runs a shape with every value of `nested=` and compares the result with the table. `times` is
/// the number of launches in the shape.
#[track_caller]
fn shape(name: &str, times: usize, run: impl Fn(&Site) -> Output) {
    let measured = ["off", "path", "preload"].map(|nested| {
        let site = Site::new(&format!("nested={nested}"));
        site.store(IMAGE, "o/i:1");
        is_covered(nested, times, &run(&site))
    });
    table::compare(name, measured);
}

/// Whether all launches of a job hit. A mixture of hits and misses fails the test.
#[track_caller]
fn is_covered(nested: &str, times: usize, output: &Output) -> bool {
    let hits = output.stdout.lines().filter(|line| line.trim_end() == IMAGE).count();
    if hits == times {
        assert_eq!(output.status, 0, "nested={nested}: {output:#?}");
        return true;
    }
    let all = [output.stdout.as_str(), &output.stderr].concat();
    assert!(hits == 0 && all.contains("connection refused"), "nested={nested}: {output:#?}");
    false
}

/// A shape that is a batch script with one launch.
#[track_caller]
fn script(name: &str, script: &str) {
    shape(name, 1, |site| site.sbatch(&[], script));
}
