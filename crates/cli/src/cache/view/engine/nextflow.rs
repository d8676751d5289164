//! Nextflow. The expected names in the tests were derived from its source, not printed by it.

use sifcache_core::layout::nextflow_name;

/// The name of the file in `NXF_APPTAINER_LIBRARYDIR` or `NXF_SINGULARITY_LIBRARYDIR`.
pub(super) fn name(typed: &str) -> String {
    nextflow_name(typed)
}

#[cfg(test)]
mod tests {
    use super::super::typed::{BIOCONTAINER, PINNED};
    use super::name;

    #[test]
    fn names_as_nextflow_computes_them() {
        let pinned = "alpine@sha256-0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f\
                      .img";
        for (typed, expected) in [
            ("alpine", "alpine.img"),
            ("alpine:3.20", "alpine-3.20.img"),
            ("docker.io/library/alpine:3.20", "docker.io-library-alpine-3.20.img"),
            ("o/i:1", "o-i-1.img"),
            (BIOCONTAINER, "quay.io-biocontainers-samtools-1.20--h50ea8bc_0.img"),
            ("localhost:5000/a", "localhost-5000-a.img"),
            (PINNED, pinned),
            ("ghcr.io/o/img.sif:1", "ghcr.io-o-img-1.sif"),
            ("o/my.sif", "o-my.sif"),
        ] {
            assert_eq!(name(typed), expected);
        }
    }
}
