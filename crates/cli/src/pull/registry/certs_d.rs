//! `certs.d`: certificates for single registries, in a directory named after each registry.
//!
//! Apptainer 1.4 reads them when it looks up a digest, but not when it fetches the image. They are
//! therefore not sufficient to make a registry trusted. However, if the directory is incomplete,
//! Apptainer does not look up the digest, and pulls nothing.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

const SYSTEM: [&str; 2] = ["/etc/containers/certs.d", "/etc/docker/certs.d"];
const AT_HOME: &str = ".config/containers/certs.d";

/// The directories that may contain a directory for a registry. The first match is used.
#[derive(Debug, Clone, Default)]
pub(super) struct Directories(Vec<PathBuf>);

impl Directories {
    /// The directories of this host and user.
    pub(super) fn from_environment() -> Self {
        let home = env::var_os("HOME").filter(|home| !home.is_empty());
        let home = home.map(|home| Path::new(&home).join(AT_HOME));
        Self(home.into_iter().chain(SYSTEM.map(PathBuf::from)).collect())
    }

    #[cfg(test)]
    pub(super) fn below(directory: &Path) -> Self {
        Self(vec![directory.join("a"), directory.join("b")])
    }

    /// The directory of a registry, given as `HOST[:PORT]`.
    pub(super) fn of(&self, registry: &str) -> Option<PathBuf> {
        let mut places = self.0.iter().map(|place| place.join(registry));
        places.find(|place| place.exists())
    }

    /// Describes what is missing in the directory of a registry, if it is incomplete.
    pub(super) fn problem(&self, registry: &str) -> Option<String> {
        let directory = self.of(registry)?;
        let entries = fs::read_dir(&directory).ok()?.flatten();
        let mut names: Vec<OsString> = entries.map(|entry| entry.file_name()).collect();
        names.sort();
        names.iter().find_map(|name| {
            let name = Path::new(name);
            let partner = match name.extension()?.to_str()? {
                "cert" => name.with_extension("key"),
                "key" => name.with_extension("cert"),
                _ => return None,
            };
            let missing = !names.iter().any(|name| Path::new(name) == partner);
            missing.then(|| {
                format!(
                    "{} has {} without {}: add the second, or remove the first (an authority's \
                     certificate ends in .crt)",
                    directory.display(),
                    name.display(),
                    partner.display()
                )
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Directories;
    use std::fs;
    use tempfile::TempDir;

    #[test]
    fn a_certificate_needs_its_key() {
        let directory = TempDir::new().unwrap();
        let directories = Directories::below(directory.path());
        assert_eq!(directories.of("q.io"), None);
        assert_eq!(directories.problem("q.io"), None);
        let second = directory.path().join("b/q.io");
        fs::create_dir_all(&second).unwrap();
        fs::write(second.join("ca.crt"), "").unwrap();
        assert_eq!(
            (directories.of("q.io"), directories.problem("q.io")),
            (Some(second.clone()), None)
        );
        fs::write(second.join("client.cert"), "").unwrap();
        let problem = directories.problem("q.io").unwrap();
        assert!(problem.contains("b/q.io has client.cert without client.key"), "{problem}");
        fs::write(second.join("client.key"), "").unwrap();
        assert_eq!(directories.problem("q.io"), None);
        fs::remove_file(second.join("client.cert")).unwrap();
        assert!(directories.problem("q.io").unwrap().contains("client.key without client.cert"));
        assert_eq!(directories.problem("q.io:5000"), None);
        // The first directory hides the second one.
        fs::create_dir_all(directory.path().join("a/q.io")).unwrap();
        assert_eq!(directories.problem("q.io"), None);
    }
}
