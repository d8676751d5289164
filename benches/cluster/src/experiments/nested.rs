//! Launches inside a job script: with the shim, with the interposer, with the bare runtime, with a
//! wrapper that a site would write by hand, and with the smallest possible program in between. All
//! run in one job step.

use super::Effort;
use super::launches::SMALL;
use crate::experiment::{Experiment, Timed, Variant};
use crate::site::{LAUNCHER, NOTHING, WRAPPER, image, sif};

const SHIM: &str = "/usr/libexec/sifcache/bin/apptainer";
const INTERPOSER: &str = "/usr/libexec/sifcache/libsifcache_preload.so";
/// The plugin's arguments for the shim: without a helper process, and with `SILENT` also without a
/// line to syslog.
const ALONE: &str = "image_root=/shared/sif lookup_timeout=off";
const SILENT: &str = "image_root=/shared/sif lookup_timeout=off syslog=off";
const RUNTIME: &str = "/usr/bin/apptainer";

/// Measures the launch of an image with each variant.
pub(crate) fn launch(effort: Effort) -> Experiment {
    let rounds = effort.rounds(100);
    ways("launches in a script", RUNTIME, rounds, |timed| timed)
}

/// The same, but with a program that exits at once instead of the runtime, to measure only the cost
/// before the runtime starts.
pub(crate) fn alone(effort: Effort) -> Experiment {
    let path = format!("/usr/libexec/sifcache/bin:{}:/usr/bin:/bin", "/opt/nothing");
    let with_nothing =
        |timed: Timed| timed.variable("PATH", Some(&path)).variable("REAL_RUNTIME", Some(NOTHING));
    ways(
        "launches in a script, with a runtime that exits at once",
        NOTHING,
        effort.rounds(500),
        with_nothing,
    )
}

fn ways(
    name: &str,
    runtime: &str,
    rounds: usize,
    surroundings: impl Fn(Timed) -> Timed,
) -> Experiment {
    let docker = format!("docker://{}", image(SMALL));
    // A shell, as in a script, so that the interposer is loaded into a process.
    let launch = |runtime: &str, image: &str| {
        let mut timed = Timed::new("sh -c");
        timed.words.push(format!("exec {runtime} exec {image} true"));
        surroundings(timed)
    };
    let preloaded = launch(runtime, &docker).variable("LD_PRELOAD", Some(INTERPOSER));
    let with = |settings| launch(SHIM, &docker).variable("SINGULARITY_SIFCACHE", Some(settings));
    Experiment {
        name: name.to_owned(),
        compared: true,
        warm_up: 1,
        rounds,
        variants: vec![
            Variant::new("the runtime alone, with the SIF's path", launch(runtime, &sif(SMALL))),
            Variant::new("the shim, with docker://", launch(SHIM, &docker)),
            Variant::new("the interposer and the shim, with docker://", preloaded),
            Variant::new("a shell wrapper, with docker://", launch(WRAPPER, &docker)),
            Variant::new(
                "a program that only executes the runtime, with the SIF's path",
                launch(LAUNCHER, &sif(SMALL)),
            ),
            Variant::new("the shim, with docker:// and `lookup_timeout=off`", with(ALONE)),
            Variant::new(
                "the shim, with docker:// and `lookup_timeout=off syslog=off`",
                with(SILENT),
            ),
        ],
    }
}

/// Measures the cost of the interposer for each program of a job.
pub(crate) fn any_program(effort: Effort) -> Experiment {
    let plain = Timed::new("/usr/bin/true");
    let loaded = plain.clone().variable("LD_PRELOAD", Some(INTERPOSER));
    Experiment {
        name: "any program of a job".to_owned(),
        compared: true,
        warm_up: 10,
        rounds: effort.rounds(2000),
        variants: vec![
            Variant::new("without the interposer", plain),
            Variant::new("with the interposer in LD_PRELOAD", loaded),
        ],
    }
}
