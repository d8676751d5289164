//! Selects the manifest of an index for an architecture, as the runtimes do it: the first one for
//! this architecture, whatever its variant. An entry without a platform counts as one for
//! linux/amd64 (`defaultPlatform` of go-containerregistry).

use super::manifest::Entry;
use std::collections::BTreeSet;

/// The architecture of an entry without a platform.
const DEFAULT: &str = "amd64";

/// The digest of the first Linux manifest for this architecture.
///
/// # Errors
/// There is no such manifest. The error contains the architectures for which there are Linux
/// manifests, sorted.
pub(super) fn choose<'a>(architecture: &str, entries: &'a [Entry]) -> Result<&'a str, Vec<String>> {
    // Manifests for other systems and entries that are not images are skipped. Attestations, for
    // example, are listed for the system `unknown`.
    let linux = entries.iter().filter_map(|entry| {
        let architecture = match &entry.platform {
            Some(platform) if platform.os == "linux" => platform.architecture.clone(),
            Some(_) => return None,
            None => DEFAULT.to_owned(),
        };
        Some((architecture, entry.digest.as_str()))
    });
    let own = linux.clone().find(|(name, _)| name == architecture);
    let others = || linux.map(|(name, _)| name).collect::<BTreeSet<_>>().into_iter().collect();
    own.map(|(_, digest)| digest).ok_or_else(others)
}

#[cfg(test)]
mod tests {
    use super::choose;
    use crate::pull::registry::manifest::Entry;
    use serde_json::json;

    #[test]
    fn an_entry_without_a_platform_is_one_for_amd64() {
        let entries: Vec<Entry> = serde_json::from_value(json!([
            {"digest": "u", "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": "none"},
            {"digest": "l", "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": "a", "platform": {"os": "linux", "architecture": "arm64"}},
        ]))
        .unwrap();
        assert_eq!(choose("amd64", &entries), Ok("none"));
        assert_eq!(choose("arm64", &entries), Ok("a"));
    }

    #[test]
    fn only_linux_manifests_of_the_architecture_are_chosen() {
        let entry = |os: &str, architecture: &str, digest: &str| {
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
                "digest": digest, "platform": {"os": os, "architecture": architecture}})
        };
        let entries: Vec<Entry> = serde_json::from_value(json!([
            entry("windows", "amd64", "w"),
            entry("linux", "s390x", "s"),
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
                "digest": "v3", "platform": {"os": "linux", "architecture": "amd64",
                "variant": "v3"}},
            entry("linux", "amd64", "l"),
            entry("linux", "arm", "v6"),
            entry("linux", "arm", "v7"),
            entry("unknown", "unknown", "u"),
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
                "digest": "none"},
        ]))
        .unwrap();
        assert_eq!(choose("amd64", &entries), Ok("v3"), "the variant does not matter");
        assert_eq!(choose("arm", &entries), Ok("v6"));
        let others = ["amd64", "arm", "s390x"].map(str::to_owned).to_vec();
        assert_eq!(choose("riscv64", &entries), Err(others));
        assert_eq!(choose("amd64", &[]), Err(vec![]));
    }
}
