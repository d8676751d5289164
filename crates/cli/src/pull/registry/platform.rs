//! Selects the manifest of an index for an architecture.

use super::manifest::Entry;
use std::collections::BTreeSet;

/// The digest of the first Linux manifest for this architecture.
///
/// # Errors
/// If there is no such manifest. The error contains the architectures for which there are Linux
/// manifests, sorted.
pub(super) fn choose<'a>(architecture: &str, entries: &'a [Entry]) -> Result<&'a str, Vec<String>> {
    // Manifests for other systems and entries that are not images are skipped. Attestations, for
    // example, are listed for the system `unknown`.
    let linux = entries.iter().filter_map(|entry| {
        let platform = entry.platform.as_ref().filter(|p| p.os == "linux")?;
        Some((platform.architecture.clone(), entry.digest.as_str()))
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
    fn only_linux_manifests_of_the_architecture_are_chosen() {
        let entry = |os: &str, architecture: &str, digest: &str| {
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
                "digest": digest, "platform": {"os": os, "architecture": architecture}})
        };
        let entries: Vec<Entry> = serde_json::from_value(json!([
            entry("windows", "amd64", "w"),
            entry("linux", "s390x", "s"),
            entry("linux", "amd64", "l"),
            entry("linux", "arm", "v6"),
            entry("linux", "arm", "v7"),
            entry("unknown", "unknown", "u"),
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
                "digest": "none"},
        ]))
        .unwrap();
        assert_eq!(choose("amd64", &entries), Ok("l"));
        assert_eq!(choose("arm", &entries), Ok("v6"));
        let others = ["amd64", "arm", "s390x"].map(str::to_owned).to_vec();
        assert_eq!(choose("riscv64", &entries), Err(others));
        assert_eq!(choose("amd64", &[]), Err(vec![]));
    }
}
