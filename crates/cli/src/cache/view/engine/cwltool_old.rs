//! cwltool before September 2026: `_normalize_sif_id` in `cwltool/singularity.py`.

/// The name of the file in `CWL_SINGULARITY_CACHE`.
pub(super) fn name(typed: &str) -> String {
    let tag = if typed.contains(':') { "" } else { "_latest" };
    format!("{typed}{tag}").replace('/', "_") + ".sif"
}

#[cfg(test)]
mod tests {
    use super::super::typed::{BIOCONTAINER, PINNED};
    use super::name;

    /// The output of cwltool 3.1.20251031082601.
    #[test]
    fn names_as_older_releases_compute_them() {
        let pinned = format!("{PINNED}.sif");
        for (typed, expected) in [
            ("alpine", "alpine_latest.sif"),
            ("alpine:3.20", "alpine:3.20.sif"),
            ("docker.io/library/alpine:3.20", "docker.io_library_alpine:3.20.sif"),
            ("o/i:1", "o_i:1.sif"),
            ("org/tool_2:1_a", "org_tool_2:1_a.sif"),
            (BIOCONTAINER, "quay.io_biocontainers_samtools:1.20--h50ea8bc_0.sif"),
            ("localhost:5000/a", "localhost:5000_a.sif"),
            (PINNED, &pinned),
            ("ghcr.io/o/img.sif:1", "ghcr.io_o_img.sif:1.sif"),
            ("o/my.sif", "o_my.sif_latest.sif"),
        ] {
            assert_eq!(name(typed), expected);
        }
    }
}
