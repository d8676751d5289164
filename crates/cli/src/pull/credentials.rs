//! Credentials for registries, found in the same way as by the runtimes. In order of precedence:
//!
//! 1. `--docker-login`: prompts for them once;
//! 2. the environment: `APPTAINER_DOCKER_USERNAME` and `APPTAINER_DOCKER_PASSWORD`, the same with
//!    the prefix `SINGULARITY_`, or without a prefix;
//! 3. a file written by `apptainer registry login` or by docker: see [`authfile`].
//!
//! Like the runtimes, this command sends credentials from the first two sources to every registry.
//! The password is passed to the runtime in its environment, never on a command line.

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

/// The prefixes of the runtimes' variables, in order of precedence.
const PREFIXES: [&str; 3] = ["APPTAINER_", "SINGULARITY_", ""];
const USERNAME: &str = "DOCKER_USERNAME";
const PASSWORD: &str = "DOCKER_PASSWORD";

/// Returns the value of an environment variable.
type Get<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The credentials for all registries.
#[derive(Debug, Clone)]
pub(crate) struct Credentials(Source);

#[derive(Debug, Clone)]
enum Source {
    Nothing,
    /// The same login for all registries.
    Login(Login),
    /// Entries for single registries. A file given with `--authfile` must be passed to the
    /// runtime.
    File {
        file: AuthFile,
        explicit: bool,
    },
}

/// The credentials for one registry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum RegistryAuth {
    /// No credentials.
    Anonymous,
    /// User name and password.
    Basic(String, String),
}

/// Omits the password, so that the value may be printed.
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

/// Omits the password, so that the value may be printed.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Finds the credentials. `docker_login` prompts for them on the terminal; `authfile` is the
    /// value of `--authfile`.
    ///
    /// # Errors
    /// There is no terminal for the prompt, or `authfile` cannot be read.
    pub(crate) fn find(docker_login: bool, authfile: Option<&Path>) -> Result<Self, Failure> {
        let get = |name: &str| env::var_os(name);
        if docker_login {
            let username = variable(&get, USERNAME);
            return prompt::login(username).map(|login| Self(Source::Login(login)));
        }
        Self::gather(&get, authfile)
    }

    /// No credentials.
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
        // The file is read first, so that it is reported as invalid even if the environment takes
        // precedence.
        let explicit = authfile.map(AuthFile::read).transpose()?;
        if let Some(login) = Login::from_environment(get) {
            return Ok(Self(Source::Login(login)));
        }
        let file = |explicit| move |file| Source::File { file, explicit };
        let source = explicit.map(file(true)).or_else(|| AuthFile::search(get).map(file(false)));
        Ok(Self(source.unwrap_or(Source::Nothing)))
    }

    /// The credentials for the registry of a reference.
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

    /// Passes the credentials to a runtime. Credentials that the runtime finds by itself are not
    /// passed.
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
    /// Credentials from the environment. As with the runtimes, one of the two variables is enough.
    fn from_environment(get: Get<'_>) -> Option<Self> {
        let (username, password) = (variable(get, USERNAME), variable(get, PASSWORD));
        (username.is_some() || password.is_some()).then(|| Self {
            username: username.unwrap_or_default(),
            password: password.unwrap_or_default(),
        })
    }
}

/// The value of the first variable of this name that is not blank. Blanks around the value are
/// removed, as in the runtimes.
fn variable(get: Get<'_>, name: &str) -> Option<String> {
    let values = PREFIXES.iter().filter_map(|prefix| get(&format!("{prefix}{name}")));
    let mut values = values.filter_map(|value| value.into_string().ok());
    values.find_map(|value| Some(value.trim().to_owned()).filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests;
