//! Reads from the images of both engines, by an ordinary user through squashfuse.

use super::kept;
use super::sample::VARIANTS;
use crate::statistics::summary;
use crate::testbed;
use anyhow::{Context, Result};

/// A command in an image.
struct Read {
    what: &'static str,
    image: &'static str,
    command: &'static str,
}

const READS: [Read; 2] = [
    Read {
        what: "15,000 small files of `many`",
        image: "many",
        command: "sh -c 'find /opt -type f | head -n 15000 | xargs cat | wc -c'",
    },
    Read {
        what: "a Python import in `real`",
        image: "real",
        command: "python3 -c 'import numpy, scipy.stats, pandas, sklearn, skimage, sympy, pyarrow, jax'",
    },
];

/// The median seconds of each variant, in the order of [`VARIANTS`].
pub(super) struct Seconds {
    pub(super) what: String,
    pub(super) medians: Vec<f64>,
}

/// Measures the reads from these images, cold and warm. Cold means that no page of the image is in
/// memory.
pub(super) fn all(images: &[&str], rounds: usize) -> Result<Vec<Seconds>> {
    let mut all = Vec::new();
    for read in READS.into_iter().filter(|read| images.contains(&read.image)) {
        for (state, cold) in [("cold", true), ("warm", false)] {
            let what = format!("{}, {state}", read.what);
            all.push(Seconds { what, medians: read.medians(cold, rounds)? });
        }
    }
    Ok(all)
}

impl Read {
    fn medians(&self, cold: bool, rounds: usize) -> Result<Vec<f64>> {
        let mut seconds: Vec<Vec<f64>> = VARIANTS.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (index, seconds) in seconds.iter_mut().enumerate() {
                seconds.push(self.once(&kept(self.image, index), cold)?);
            }
        }
        Ok(seconds.iter().map(|seconds| summary(seconds).median).collect())
    }

    fn once(&self, path: &str, cold: bool) -> Result<f64> {
        let cache = if cold {
            "os.fdatasync(f); os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)"
        } else {
            "[None for _ in iter(lambda: os.read(f, 1 << 22), b\"\")]"
        };
        let script = format!(
            "python3 -c 'import os; f = os.open(\"{path}\", os.O_RDONLY); {cache}'
            cd /; export HOME=/home/alice
            setpriv --reuid=alice --regid=alice --init-groups /usr/bin/time --format %e \
                apptainer --silent exec {path} {} 2>&1 >/dev/null | tail -n 1",
            self.command
        );
        let output = testbed::on("ctl", &script)?;
        output.trim().parse().with_context(|| output.clone())
    }
}
