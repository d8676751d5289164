//! cwltool since September 2026, and Toil for CWL, which uses it: `get_image` in
//! `cwltool/singularity.py` and `get_image_name` in `cwl_utils/image_puller.py`.

/// The name of the file in `CWL_SINGULARITY_CACHE`.
pub(super) fn name(typed: &str) -> String {
    // A registry with a port also contains a colon; cwltool then adds no tag either.
    let tag = if typed.contains(':') { "" } else { ":latest" };
    format!("{typed}{tag}").replace('_', "___").replace('/', "_s_") + ".sif"
}

#[cfg(test)]
mod tests {
    use super::super::typed::{BIOCONTAINER, PINNED};
    use super::name;

    /// The output of cwltool 3.3.20260925135507 with cwl-utils 0.45.
    #[test]
    fn names_as_cwltool_computes_them() {
        let pinned = format!("{PINNED}.sif");
        for (typed, expected) in [
            ("alpine", "alpine:latest.sif"),
            ("alpine:3.20", "alpine:3.20.sif"),
            ("docker.io/library/alpine:3.20", "docker.io_s_library_s_alpine:3.20.sif"),
            ("o/i:1", "o_s_i:1.sif"),
            ("org/tool_2:1_a", "org_s_tool___2:1___a.sif"),
            (BIOCONTAINER, "quay.io_s_biocontainers_s_samtools:1.20--h50ea8bc___0.sif"),
            ("localhost:5000/a", "localhost:5000_s_a.sif"),
            ("localhost:5000/a/b:1", "localhost:5000_s_a_s_b:1.sif"),
            (PINNED, &pinned),
            ("ghcr.io/o/img.sif:1", "ghcr.io_s_o_s_img.sif:1.sif"),
            ("o/my.sif", "o_s_my.sif:latest.sif"),
        ] {
            assert_eq!(name(typed), expected);
        }
    }
}
