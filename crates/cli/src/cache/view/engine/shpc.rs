//! Singularity Registry HPC: `registry_pull` in `shpc/main/container/singularity.py`. It pulls a
//! tag by the digest that its recipe names.

/// The name of the file in `container_base` for a reference with a tag, or `None` if `typed` has
/// no tag or has a digest.
pub(super) fn name(typed: &str, digest: &str) -> Option<String> {
    let (repository, tag) = typed.rsplit_once(':')?;
    if tag.contains('/') || typed.contains('@') {
        return None;
    }
    let (directory, flat) = (typed.replace(':', "/"), repository.replace('/', "-"));
    Some(format!("{directory}/{flat}-{tag}-{digest}.sif"))
}

/// The digest at the end of a name.
pub(super) fn digest_in(name: &str) -> Option<String> {
    let (rest, hex) = name.strip_suffix(".sif")?.rsplit_once(':')?;
    let (_, algorithm) = rest.rsplit_once('-')?;
    Some(format!("{algorithm}:{hex}"))
}

#[cfg(test)]
mod tests {
    use super::super::typed::{DIGEST, PINNED};
    use super::{digest_in, name};

    /// The output of singularity-hpc 0.1.32, for recipes whose `docker` is the repository.
    #[test]
    fn names_as_shpc_computes_them() {
        for (typed, expected) in [
            ("alpine:1", "alpine/1/alpine-1"),
            ("library/x:1", "library/x/1/library-x-1"),
            ("o/i:1", "o/i/1/o-i-1"),
            ("docker.io/org/renamed:1", "docker.io/org/renamed/1/docker.io-org-renamed-1"),
            (
                "quay.io/biocontainers/samtools:1",
                "quay.io/biocontainers/samtools/1/quay.io-biocontainers-samtools-1",
            ),
        ] {
            let name = name(typed, DIGEST).unwrap();
            assert_eq!(name, format!("{expected}-{DIGEST}.sif"));
            assert_eq!(digest_in(&name).as_deref(), Some(DIGEST));
        }
        for typed in ["alpine", "localhost:5000/a", PINNED] {
            assert_eq!(name(typed, DIGEST), None, "{typed}");
        }
        assert_eq!(digest_in("alpine/1/mine.sif"), None);
    }
}
