//! Who asks a registry: the same credentials that the runtime takes, in its order.
//!
//! Source: `cmd/internal/cli` and `internal/pkg/util/ociauth` of Apptainer and SingularityCE:
//! flags and environment first, else the file that `registry login` writes, else docker's.

use crate::failure::{Exit, Failure};
use crate::output::plain;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;
use sifcache_core::reference::{DEFAULT_REGISTRY, Reference};
use std::env;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// The environment, as pairs of user name and password; the first that is whole counts.
const VARIABLES: [(&str, &str); 3] = [
    ("APPTAINER_DOCKER_USERNAME", "APPTAINER_DOCKER_PASSWORD"),
    ("SINGULARITY_DOCKER_USERNAME", "SINGULARITY_DOCKER_PASSWORD"),
    ("DOCKER_USERNAME", "DOCKER_PASSWORD"),
];

/// Where auth files are, below the home directory.
const FILES: [&str; 3] =
    [".apptainer/docker-config.json", ".singularity/docker-config.json", ".docker/config.json"];

/// The name of Docker Hub in auth files.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Credentials for every registry, or where to look them up.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// User name and password.
    Basic(String, String),
    /// Auth files; the first that has something for the registry counts. The first of all
    /// is the one that the runtime is told of, if the user has named it.
    Files { named: Option<PathBuf>, all: Vec<PathBuf> },
}

/// A password is not for logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic(user, _) => write!(f, "Basic({user:?}, ...)"),
            Self::Files { all, .. } => write!(f, "Files({all:?})"),
        }
    }
}

impl Credentials {
    /// Asks for them, or finds where they are.
    ///
    /// # Errors
    /// If there is nobody to ask, or if the named file cannot be read.
    pub(crate) fn find(login: bool, authfile: Option<&Path>) -> Result<Self, Failure> {
        if login {
            return prompt();
        }
        let value = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let given = VARIABLES.iter().find_map(|(user, word)| value(user).zip(value(word)));
        if let (Some((user, word)), None) = (given, authfile) {
            return Ok(Self::Basic(user, word));
        }
        if let Some(file) = authfile {
            File::open(file).map_err(|error| {
                Failure::new(Exit::IO, format!("cannot read {}: {error}", plain(file)))
            })?;
        }
        let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let named = authfile.map(Path::to_owned);
        let all = match &named {
            Some(file) => vec![file.clone()],
            None => FILES.iter().map(|file| home.join(file)).collect(),
        };
        Ok(Self::Files { named, all })
    }

    /// Those for the registry of a reference.
    pub(crate) fn of(&self, reference: &Reference) -> RegistryAuth {
        match self {
            Self::Basic(user, word) => RegistryAuth::Basic(user.clone(), word.clone()),
            Self::Files { all, .. } => {
                let found = all.iter().find_map(|file| stored(file, reference));
                found.unwrap_or(RegistryAuth::Anonymous)
            }
        }
    }

    /// What the runtime is to find in its environment.
    pub(crate) fn environment(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Basic(user, word) => VARIABLES
                .iter()
                .flat_map(|(name, secret)| [(*name, user.as_str()), (*secret, word.as_str())])
                .collect(),
            Self::Files { .. } => Vec::new(),
        }
    }

    /// The file that the runtime is to be told of.
    pub(crate) fn authfile(&self) -> Option<&Path> {
        match self {
            Self::Files { named, .. } => named.as_deref(),
            Self::Basic(..) => None,
        }
    }
}

#[cfg(test)]
impl Credentials {
    /// A user name and a password.
    pub(crate) fn basic(user: &str, word: &str) -> Self {
        Self::Basic(user.to_owned(), word.to_owned())
    }

    /// No credentials at all.
    pub(crate) fn none() -> Self {
        Self::Files { named: None, all: Vec::new() }
    }
}

fn prompt() -> Result<Credentials, Failure> {
    if !io::stdin().is_terminal() {
        let message = "--docker-login asks for user name and password, and standard input is no \
                       terminal: set APPTAINER_DOCKER_USERNAME and APPTAINER_DOCKER_PASSWORD";
        return Err(Failure::new(Exit::USAGE, message));
    }
    eprint!("registry user name: ");
    io::stderr().flush()?;
    let mut user = String::new();
    io::stdin().read_line(&mut user)?;
    let word = rpassword::prompt_password("registry password: ")?;
    Ok(Credentials::Basic(user.trim().to_owned(), word))
}

/// What a file has for the registry. One that is not there or cannot be read has nothing:
/// the runtime will say what it makes of it.
fn stored(file: &Path, reference: &Reference) -> Option<RegistryAuth> {
    let registry = reference.registry();
    let keys = match registry == DEFAULT_REGISTRY {
        true => vec![DOCKER_HUB.to_owned(), registry.to_owned()],
        false => {
            vec![reference.full_repository(), registry.to_owned(), format!("https://{registry}")]
        }
    };
    keys.iter().find_map(|key| {
        let found = docker_credential::get_credential_from_reader(File::open(file).ok()?, key);
        match found {
            Ok(DockerCredential::UsernamePassword(user, word)) => {
                Some(RegistryAuth::Basic(user, word))
            }
            Ok(DockerCredential::IdentityToken(token)) => Some(RegistryAuth::Bearer(token)),
            Err(CredentialRetrievalError::NoCredentialConfigured | _) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::Credentials;
    use oci_client::secrets::RegistryAuth;
    use sifcache_core::reference::Reference;
    use std::fs;

    fn of(credentials: &Credentials, reference: &str) -> RegistryAuth {
        credentials.of(&Reference::parse(reference.as_bytes()).unwrap())
    }

    #[test]
    fn from_an_auth_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("auth.json");
        // "alice:secret" and "bob:word" in base64.
        let text = r#"{"auths":{
            "https://index.docker.io/v1/":{"auth":"YWxpY2U6c2VjcmV0"},
            "registry.example.org:5443":{"auth":"Ym9iOndvcmQ="}}}"#;
        fs::write(&file, text).unwrap();
        let credentials = Credentials::find(false, Some(&file)).unwrap();
        let basic = |user: &str, word: &str| RegistryAuth::Basic(user.into(), word.into());
        assert_eq!(of(&credentials, "o/i:1"), basic("alice", "secret"));
        assert_eq!(of(&credentials, "registry.example.org:5443/o/i"), basic("bob", "word"));
        assert_eq!(of(&credentials, "quay.io/o/i"), RegistryAuth::Anonymous);
        assert_eq!(credentials.authfile(), Some(file.as_path()));
        assert!(Credentials::find(false, Some(&directory.path().join("none"))).is_err());
    }

    #[test]
    fn passwords_stay_out_of_messages() {
        let said = format!("{:?}", Credentials::basic("alice", "secret"));
        assert!(said.contains("alice") && !said.contains("secret"), "{said}");
    }
}
