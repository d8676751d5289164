//! The site's own runtime, which pulls and which verifies signatures.

mod child;

use crate::credentials::Credentials;
use crate::failure::{Exit, Failure};
use crate::output::plain;
use sifcache_core::nested;
use sifcache_core::settings::Settings;
use std::env;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A runtime that is installed here.
#[derive(Debug)]
pub(crate) struct Runtime {
    path: PathBuf,
}

/// How to pull.
#[derive(Debug)]
pub(crate) struct PullOptions<'a> {
    pub(crate) no_https: bool,
    pub(crate) credentials: &'a Credentials,
    /// Where it may unpack.
    pub(crate) tmpdir: &'a Path,
    /// Its standard input: a locked file, whose lock then lives as long as the runtime.
    pub(crate) lock: &'a File,
}

/// Why a runtime did not do it.
#[derive(Debug)]
pub(crate) enum Error {
    /// A signal asked the command to end.
    Stopped(Failure),
    /// It could not be started.
    Start(std::io::Error),
    /// It ended with an error: what it said last, and all that it said.
    Ended { last: String, output: String },
}

impl Error {
    /// All that the runtime said.
    pub(crate) fn output(&self) -> &str {
        match self {
            Self::Ended { output, .. } => output,
            _ => "",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(failure) => failure.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Ended { last, .. } => f.write_str(last),
        }
    }
}

impl Runtime {
    /// The one that is named, else the first of the settings' runtimes in PATH that is
    /// not the shim.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn find(settings: &Settings, named: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = named {
            return match is_program(path) {
                true => Ok(Self { path: std::path::absolute(path)? }),
                false => {
                    let message = format!("--runtime {}: no program", plain(path));
                    Err(Failure::new(Exit::UNAVAILABLE, message))
                }
            };
        }
        let search = env::var_os("PATH").unwrap_or_default();
        let shims = Path::new(nested::DIRECTORY);
        // Those that images are mostly made with come first, whatever the order of PATH.
        let mut found = settings.runtimes.iter().flat_map(|name| {
            let directories = env::split_paths(&search).filter(|d| !d.starts_with(shims));
            directories.map(move |directory| directory.join(name)).collect::<Vec<_>>()
        });
        found.find(|path| is_program(path)).map(|path| Self { path }).ok_or_else(|| {
            let names = settings.runtimes.join(" or ");
            let message =
                format!("no {names} in PATH: load its module, or name it with --runtime FILE");
            Failure::new(Exit::UNAVAILABLE, message)
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it calls itself: `apptainer version 1.4.5`.
    pub(crate) fn version(&self) -> String {
        let output = Command::new(&self.path).arg("--version").output();
        let text = output.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&text).trim().to_owned()
    }

    /// Pulls `image`, a `docker://` reference, into a new file; `report` hears what the
    /// runtime says meanwhile.
    ///
    /// # Errors
    /// Why there is no such file now.
    pub(crate) fn pull(
        &self,
        image: &str,
        to: &Path,
        options: &PullOptions<'_>,
        report: &dyn Fn(&str),
    ) -> Result<(), Error> {
        let mut command = Command::new(&self.path);
        command.arg("pull").args(options.no_https.then_some("--no-https"));
        if let Some(file) = options.credentials.authfile() {
            command.arg("--authfile").arg(file);
        }
        command.arg(to).arg(image).envs(options.credentials.environment());
        // A cache of SIF files needs no second one in root's home.
        const CACHE: [&str; 2] = ["APPTAINER_DISABLE_CACHE", "SINGULARITY_DISABLE_CACHE"];
        if CACHE.iter().all(|name| env::var_os(name).is_none()) {
            command.envs(CACHE.map(|name| (name, "true")));
        }
        for name in ["APPTAINER_TMPDIR", "SINGULARITY_TMPDIR"] {
            command.env(name, options.tmpdir);
        }
        // They would lead the file elsewhere.
        for name in ["PULLDIR", "PULLFOLDER"] {
            command.env_remove(format!("APPTAINER_{name}"));
            command.env_remove(format!("SINGULARITY_{name}"));
        }
        command.stdin(options.lock.try_clone().map_err(Error::Start)?);
        child::run(command, report).map(drop)
    }

    /// Lets the runtime check the signatures of a SIF file, and returns what it said.
    ///
    /// # Errors
    /// What it did not like.
    pub(crate) fn verify(&self, file: &Path) -> Result<String, Error> {
        let mut command = Command::new(&self.path);
        command.arg("verify").arg(file).stdin(std::process::Stdio::null());
        child::run(command, &|_| ())
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;
