//! miniwdl and miniwdl-slurm: `_pull_invocation` in `WDL/runtime/backend/singularity.py`.

use sifcache_core::image_uri::Transport;

/// The name of the file in `image_cache`. miniwdl maps both `/` and `:` to `_`, so different
/// references can have the same name.
pub(super) fn name(typed: &str) -> String {
    Transport::Docker.uri(typed).replace(['/', ':'], "_") + ".sif"
}

#[cfg(test)]
mod tests {
    use super::super::typed::{BIOCONTAINER, PINNED};
    use super::name;

    /// The output of miniwdl 1.16.0.
    #[test]
    fn names_as_miniwdl_computes_them() {
        let pinned = format!("docker___{}.sif", PINNED.replace(':', "_"));
        for (typed, expected) in [
            ("alpine", "docker___alpine.sif"),
            ("alpine:3.20", "docker___alpine_3.20.sif"),
            ("docker.io/library/alpine:3.20", "docker___docker.io_library_alpine_3.20.sif"),
            ("o/i:1", "docker___o_i_1.sif"),
            ("org/tool_2:1_a", "docker___org_tool_2_1_a.sif"),
            (BIOCONTAINER, "docker___quay.io_biocontainers_samtools_1.20--h50ea8bc_0.sif"),
            ("localhost:5000/a", "docker___localhost_5000_a.sif"),
            (PINNED, &pinned),
            ("ghcr.io/o/img.sif:1", "docker___ghcr.io_o_img.sif_1.sif"),
            ("o/my.sif", "docker___o_my.sif.sif"),
        ] {
            assert_eq!(name(typed), expected);
        }
    }
}
