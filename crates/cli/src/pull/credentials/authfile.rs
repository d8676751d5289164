//! The file in which docker and the runtimes' `registry login` store credentials.
//!
//! Without `--authfile`, the runtimes search these paths (Apptainer's `syfs.SearchDockerConf`,
//! SingularityCE's `syfs.DockerConf`):
//!
//! 1. `APPTAINER_AUTH_FILE` or `SINGULARITY_AUTHFILE`; if one is set, no other path is searched;
//! 2. `docker-config.json` in `APPTAINER_CONFIGDIR`, `SINGULARITY_CONFIGDIR`, `~/.apptainer`,
//!    `~/.singularity`;
//! 3. `~/.docker/config.json`.
//!
//! The first existing file is used. No runtime reads `REGISTRY_AUTH_FILE` or the files of podman.

use super::{Get, Login};
use crate::error::Failure;
use crate::ui::escape::escape_for_terminal;
use docker_credential::DockerCredential;
use serde::de::IgnoredAny;
use sifcache_core::reference::{DEFAULT_REGISTRY, Reference};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs};

/// Variables that name the file itself.
const FILES: [&str; 2] = ["APPTAINER_AUTH_FILE", "SINGULARITY_AUTHFILE"];
/// Variables that name the directories of the runtimes' own settings.
const DIRECTORIES: [&str; 2] = ["APPTAINER_CONFIGDIR", "SINGULARITY_CONFIGDIR"];
/// Files in the home directory.
const AT_HOME: [&str; 3] =
    [".apptainer/docker-config.json", ".singularity/docker-config.json", ".docker/config.json"];
/// The keys for Docker Hub in such a file, in order of precedence.
const DOCKER_HUB: [&str; 3] = ["https://index.docker.io/v1/", "index.docker.io", "docker.io"];

/// A file with credentials for registries.
#[derive(Clone)]
pub(super) struct AuthFile {
    path: PathBuf,
    content: Arc<[u8]>,
}

/// Omits the content, so that the value may be printed.
impl fmt::Debug for AuthFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl AuthFile {
    /// Reads the file given with `--authfile`.
    ///
    /// # Errors
    /// The file cannot be read or is not JSON.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let content = fs::read(path).map_err(|error| Failure::Read {
            prefix: "--authfile: ",
            name: escape_for_terminal(path),
            error,
        })?;
        serde_json::from_slice::<IgnoredAny>(&content)
            .map_err(|error| Failure::AuthFile { path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), content: content.into() })
    }

    /// The file that the runtimes would find. An unreadable file counts as one without credentials,
    /// as it does for the runtimes.
    pub(super) fn search(get: Get<'_>) -> Option<Self> {
        let path = places(get).into_iter().find(|path| path.exists())?;
        let content = fs::read(&path).ok()?.into();
        Some(Self { path, content })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The credentials for a reference: those for its repository, else for a parent path of it,
    /// else for its registry. An identity token requires another login method, which only the
    /// runtime supports, so such an entry yields no credentials here.
    pub(super) fn of(&self, reference: &Reference) -> Option<Login> {
        let credential = |key: &String| {
            docker_credential::get_credential_from_reader(self.content.as_ref(), key).ok()
        };
        match keys(reference).iter().find_map(credential)? {
            DockerCredential::UsernamePassword(username, password) => {
                Some(Login { username, password })
            }
            DockerCredential::IdentityToken(_) => None,
        }
    }
}

fn places(get: Get<'_>) -> Vec<PathBuf> {
    let get = |name: &str| get(name).filter(|value: &OsString| !value.is_empty());
    if let Some(file) = FILES.iter().find_map(|name| get(name)) {
        return vec![file.into()];
    }
    let directories = DIRECTORIES.iter().filter_map(|name| get(name));
    let mut places: Vec<PathBuf> =
        directories.map(|directory| Path::new(&directory).join("docker-config.json")).collect();
    if let Some(home) = get("HOME") {
        places.extend(AT_HOME.iter().map(|file| Path::new(&home).join(file)));
    }
    places
}

/// The keys under which the file may store credentials for a reference, most specific first.
fn keys(reference: &Reference) -> Vec<String> {
    let registry = reference.registry();
    let names = match registry {
        DEFAULT_REGISTRY => DOCKER_HUB.to_vec(),
        _ => vec![registry],
    };
    let mut keys = Vec::new();
    let mut path = Some(reference.repository());
    while let Some(repository) = path {
        let hosts = names.iter().filter(|name| !name.contains('/'));
        keys.extend(hosts.map(|host| format!("{host}/{repository}")));
        path = repository.rsplit_once('/').map(|(parent, _)| parent);
    }
    keys.extend(names.into_iter().map(str::to_owned));
    keys
}

#[cfg(test)]
mod tests;
