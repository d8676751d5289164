//! The shapes that a launch can have, and what covers each: `docs/launch-shapes.md`.
//!
//! Each is run with every value of `nested=`, while the registry is down, so that only a
//! hit can succeed. What comes out is compared with the table's row; with
//! `SIFCACHE_BLESS=1` it is written there instead.

mod modules;
mod parallel;
mod programs;
mod scripts;
mod steps;
mod table;

use crate::kit::{IMAGE, Output, Site};

/// A launch that prints the name of its image.
const LAUNCH: &str = "apptainer exec docker://o/i:1 cat /etc/image-name";

/// Runs a shape with every value of `nested=` and compares with the table. `times` is how
/// many launches it makes.
#[track_caller]
fn shape(name: &str, times: usize, run: impl Fn(&Site) -> Output) {
    let measured = ["off", "path", "preload"].map(|nested| {
        let site = Site::new(&format!("nested={nested}"));
        site.store(IMAGE, "o/i:1");
        is_covered(nested, times, &run(&site))
    });
    table::compare(name, measured);
}

/// Whether all launches of a job hit. Nothing between all and none will do.
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

/// A batch script as a shape.
#[track_caller]
fn script(name: &str, script: &str) {
    shape(name, 1, |site| site.sbatch(&[], script));
}
