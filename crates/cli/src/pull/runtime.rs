//! The site's own runtime, which pulls and which verifies signatures.

mod child;
mod environment;
mod output_parser;
mod search;

use crate::cache::store::architecture::Architecture;
use crate::error::{Exit, Failure};
use crate::pull::credentials::Credentials;
use crate::ui::output::plain;
use output_parser::Said;
use sifcache_core::settings::Settings;
use std::env;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

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
    /// What the image is to be for, if not for this host.
    pub(crate) architecture: Option<Architecture>,
}

/// Why a runtime did not do it.
#[derive(Debug)]
pub(crate) enum Error {
    /// A signal asked the command to end.
    Stopped(Failure),
    /// It could not be started.
    Start(io::Error),
    /// It ended with an error.
    Ended { status: ExitStatus, said: Said },
}

impl Error {
    /// The last that the runtime said, in lines.
    pub(crate) fn output(&self) -> String {
        match self {
            Self::Ended { said, .. } => said.text(),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(failure) => failure.fmt(f),
            Self::Start(error) => write!(f, "it does not start: {error}"),
            Self::Ended { status, said } => f.write_str(&said.why(*status)),
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
            return match search::is_program(path) {
                true => Ok(Self { path: std::path::absolute(path)? }),
                false => {
                    let message = format!("--runtime {}: no program", plain(path));
                    Err(Failure::new(Exit::UNAVAILABLE, message))
                }
            };
        }
        let path = env::var_os("PATH").unwrap_or_default();
        search::first(&settings.runtimes, &path).map(|path| Self { path }).ok_or_else(|| {
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
        let output = self.command("--version").stdin(Stdio::null()).output();
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
        let mut command = self.command("pull");
        options.credentials.hand_to(&mut command);
        if let Some(architecture) = options.architecture {
            command.args(["--arch", said_to_runtimes(architecture)]);
        }
        command.arg(to).arg(image);
        environment::for_pull(&mut command, options.tmpdir, options.no_https, &|name| {
            env::var_os(name)
        });
        command.stdin(options.lock.try_clone().map_err(Error::Start)?);
        child::run(command, report).map(drop)
    }

    /// Lets the runtime check the signatures of a SIF file, and returns what it said.
    ///
    /// # Errors
    /// What it did not like.
    pub(crate) fn verify(&self, file: &Path) -> Result<String, Error> {
        let mut command = self.command("verify");
        command.arg(file).stdin(Stdio::null());
        child::run(command, &|_| ()).map(|said| said.text())
    }

    /// The runtime itself, whatever would lead a job to the shim.
    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.path);
        command.arg(subcommand);
        environment::without_us(&mut command, &|name| env::var_os(name));
        command
    }
}

/// What the runtimes call an architecture: those before Apptainer 1.6 have no plain `arm`.
fn said_to_runtimes(architecture: Architecture) -> &'static str {
    match architecture {
        "arm" => "arm32v7",
        other => other,
    }
}

#[cfg(test)]
mod tests;
