//! Credentials of registries, as the runtime takes them. In this order:
//!
//! 1. `--docker-login`: asked for, once;
//! 2. the environment: `APPTAINER_DOCKER_USERNAME` and `APPTAINER_DOCKER_PASSWORD`, the same
//!    with `SINGULARITY_`, or without any of it;
//! 3. a file of `apptainer registry login`, or of docker: see [`authfile`].
//!
//! What comes from the first two is for every registry, the runtimes see it so too. The
//! password goes to the runtime in its environment, never on a command line.

mod authfile;
mod prompt;

use crate::error::Failure;
use authfile::AuthFile;
use sifcache_core::reference::Reference;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::Command;

/// What the names of the runtimes' variables begin with, in the order in which they count.
const PREFIXES: [&str; 3] = ["APPTAINER_", "SINGULARITY_", ""];
const USERNAME: &str = "DOCKER_USERNAME";
const PASSWORD: &str = "DOCKER_PASSWORD";

/// Gives the value of a variable.
type Get<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Who we are for registries.
#[derive(Debug, Clone)]
pub(crate) struct Credentials(Source);

#[derive(Debug, Clone)]
enum Source {
    Nothing,
    /// The same for all registries.
    Login(Login),
    /// Some for each registry. `--authfile` has to be told to the runtime.
    File {
        file: AuthFile,
        explicit: bool,
    },
}

/// What a registry is told of who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum RegistryAuth {
    /// Nothing.
    Anonymous,
    /// User name and password.
    Basic(String, String),
}

/// Without the password: this may be printed.
impl fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Basic(username, _) => {
                f.debug_tuple("Basic").field(username).finish_non_exhaustive()
            }
        }
    }
}

/// A user name with its password.
#[derive(Clone, PartialEq, Eq)]
struct Login {
    username: String,
    password: String,
}

/// Without the password: this may be printed.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Credentials {
    /// `docker_login`: asks for them on the terminal. `authfile` is `--authfile`.
    ///
    /// # Errors
    /// If there is no terminal to ask on, or if `authfile` cannot be read.
    pub(crate) fn find(docker_login: bool, authfile: Option<&Path>) -> Result<Self, Failure> {
        let get = |name: &str| env::var_os(name);
        if docker_login {
            let username = variable(&get, USERNAME);
            return prompt::ask(username).map(|login| Self(Source::Login(login)));
        }
        Self::gather(&get, authfile)
    }

    /// None at all.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self(Source::Nothing)
    }

    /// A user name and a password.
    #[cfg(test)]
    pub(crate) fn basic(username: &str, password: &str) -> Self {
        let (username, password) = (username.to_owned(), password.to_owned());
        Self(Source::Login(Login { username, password }))
    }

    fn gather(get: Get<'_>, authfile: Option<&Path>) -> Result<Self, Failure> {
        // Read first: a wrong name is to be told even where the file does not count.
        let explicit = authfile.map(AuthFile::read).transpose()?;
        if let Some(login) = Login::from_environment(get) {
            return Ok(Self(Source::Login(login)));
        }
        let file = |explicit| move |file| Source::File { file, explicit };
        let source = explicit.map(file(true)).or_else(|| AuthFile::search(get).map(file(false)));
        Ok(Self(source.unwrap_or(Source::Nothing)))
    }

    /// What the reference's registry is told.
    pub(crate) fn of(&self, reference: &Reference) -> RegistryAuth {
        let login = match &self.0 {
            Source::Nothing => None,
            Source::Login(login) => Some(login.clone()),
            Source::File { file, .. } => file.of(reference),
        };
        login.map_or(RegistryAuth::Anonymous, |login| {
            RegistryAuth::Basic(login.username, login.password)
        })
    }

    /// Gives them to a runtime. What it finds by itself is left to it.
    pub(crate) fn hand_to(&self, command: &mut Command) {
        match &self.0 {
            Source::Login(login) => {
                for prefix in PREFIXES.iter().filter(|prefix| !prefix.is_empty()) {
                    command.env(format!("{prefix}{USERNAME}"), &login.username);
                    command.env(format!("{prefix}{PASSWORD}"), &login.password);
                }
                command.env_remove(USERNAME).env_remove(PASSWORD);
            }
            Source::File { file, explicit: true } => {
                command.arg("--authfile").arg(file.path());
            }
            Source::File { .. } | Source::Nothing => {}
        }
    }
}

impl Login {
    /// One of the two is enough for the runtimes.
    fn from_environment(get: Get<'_>) -> Option<Self> {
        let (username, password) = (variable(get, USERNAME), variable(get, PASSWORD));
        (username.is_some() || password.is_some()).then(|| Self {
            username: username.unwrap_or_default(),
            password: password.unwrap_or_default(),
        })
    }
}

/// The first variable of this name that has a value, without blanks around it, as the
/// runtimes take it.
fn variable(get: Get<'_>, name: &str) -> Option<String> {
    let values = PREFIXES.iter().filter_map(|prefix| get(&format!("{prefix}{name}")));
    let mut values = values.filter_map(|value| value.into_string().ok());
    values.find_map(|value| Some(value.trim().to_owned()).filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests;
