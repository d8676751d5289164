//! Snakemake: `Image.path` in `snakemake/deployment/singularity.py`.

use crate::cache::store::hex;
use md5::{Digest as _, Md5};
use sifcache_core::image_uri::Transport;

/// The name of the file in the directory of `--apptainer-prefix`.
pub(super) fn name(typed: &str) -> String {
    hex(&Md5::digest(Transport::Docker.uri(typed))) + ".simg"
}

#[cfg(test)]
mod tests {
    use super::super::typed::{BIOCONTAINER, PINNED};
    use super::name;

    /// The output of Snakemake 9.27.1.
    #[test]
    fn names_as_snakemake_computes_them() {
        for (typed, expected) in [
            ("alpine", "717cd80f46d31b4a41fa0f4a81b2883a.simg"),
            ("alpine:3.20", "f9e4fa470459760186eca07024782c39.simg"),
            ("docker.io/library/alpine:3.20", "fa121255850ab5f4f8f5c7ea3aa604e3.simg"),
            ("o/i:1", "63163f7d38f86b76ef7b3b7586da9f7a.simg"),
            (BIOCONTAINER, "8c6521ebefcbf8c165b3ddde9a882fb2.simg"),
            ("localhost:5000/a", "43bfd3cf608e80d66a8ff4d3eb5aca64.simg"),
            (PINNED, "7f099abdd0246c50ef901e496e78105e.simg"),
        ] {
            assert_eq!(name(typed), expected);
        }
    }
}
