//! The site's own runtime, which pulls images and verifies signatures.

mod child;
mod environment;
mod output_parser;
mod search;
mod version;

use crate::cache::store::architecture::Architecture;
use crate::error::Failure;
use crate::pull::credentials::Credentials;
use crate::system::signals;
use output_parser::LastLines;
use sifcache_core::settings::Settings;
use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
pub(crate) use version::Version;

/// A runtime that is installed on this host.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    path: PathBuf,
}

/// The options of a pull.
#[derive(Debug)]
pub(crate) struct PullOptions<'a> {
    /// Whether `--no-https` was given.
    pub(crate) no_https: bool,
    /// The credentials to pass to the runtime.
    pub(crate) credentials: &'a Credentials,
    /// The directory in which the runtime unpacks layers.
    pub(crate) tmpdir: &'a Path,
    /// A locked file that becomes the runtime's standard input, so that the lock is held as long
    /// as the runtime runs.
    pub(crate) lock: &'a File,
    /// The architecture of the image, if it is not this host's.
    pub(crate) architecture: Option<Architecture>,
}

/// The options of a build from a local layout.
#[derive(Debug)]
pub(crate) struct BuildOptions<'a> {
    /// The working directory, in which the runtime also unpacks layers.
    pub(crate) directory: &'a Path,
    /// As in [`PullOptions::lock`].
    pub(crate) lock: &'a File,
    /// The architecture of the image, if it is not this host's.
    pub(crate) architecture: Option<Architecture>,
}

/// The reason why a run of the runtime failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command, or this run, has to end.
    #[error(transparent)]
    Stopped(Failure),
    /// The runtime could not be started.
    #[error("it does not start: {0}")]
    Start(io::Error),
    /// The runtime exited with an error.
    #[error("{}", .output.reason(*.status))]
    Ended { status: ExitStatus, output: LastLines },
}

impl Error {
    /// Whether a registry has refused a request of the runtime, because this host has sent too many.
    pub(crate) fn is_about_a_rate_limit(&self) -> bool {
        matches!(self, Self::Ended { output, .. } if output.has_rate_limit())
    }

    /// The last lines that the runtime printed.
    pub(crate) fn output(&self) -> String {
        match self {
            Self::Ended { output, .. } => output.text(),
            _ => String::new(),
        }
    }
}

impl Runtime {
    /// Finds the runtime: the program `named` by the user, else the first of the settings'
    /// runtimes in PATH that is not the shim.
    ///
    /// # Errors
    /// There is no such program.
    pub(crate) fn find(settings: &Settings, named: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = named {
            return match search::is_program(path) {
                true => Ok(Self { path: std::path::absolute(path)? }),
                false => Err(Failure::NotAProgram(path.to_owned())),
            };
        }
        let path = env::var_os("PATH").unwrap_or_default();
        search::first(&settings.runtimes, &path)
            .map(|path| Self { path })
            .ok_or_else(|| Failure::NoRuntime(settings.runtimes.clone()))
    }

    /// The path of the program.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The version that the runtime prints: `apptainer version 1.4.5`. Empty if the program cannot
    /// be run.
    pub(crate) fn version(&self) -> String {
        let output = self.command("--version").stdin(Stdio::null()).output();
        let text = output.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&text).trim().to_owned()
    }

    /// Pulls `image`, the URI of a reference, into the new file `to`. Calls `report` with each
    /// line that the runtime prints, and `check` several times a second.
    ///
    /// # Errors
    /// The runtime fails or `check` does.
    pub(crate) fn pull(
        &self,
        image: &str,
        to: &Path,
        options: &PullOptions<'_>,
        report: &dyn Fn(&str),
        check: &dyn Fn() -> Result<(), Failure>,
    ) -> Result<(), Error> {
        let mut command = self.command("pull");
        options.credentials.hand_to(&mut command);
        if let Some(architecture) = options.architecture {
            command.args(["--arch", name_for_runtimes(architecture)]);
        }
        command.arg(to).arg(image);
        environment::for_pull(&mut command, options.tmpdir, options.no_https, &|name| {
            env::var_os(name)
        });
        command.stdin(options.lock.try_clone().map_err(Error::Start)?);
        child::run(command, report, check).map(drop)
    }

    /// Builds the new file `to` from `source`, such as `oci:DIRECTORY:TAG`.
    ///
    /// # Errors
    /// The runtime fails or a signal asks the command to end.
    pub(crate) fn build(
        &self,
        source: &str,
        to: &Path,
        options: &BuildOptions<'_>,
    ) -> Result<(), Error> {
        let mut command = self.command("build");
        if let Some(architecture) = options.architecture {
            command.args(["--arch", name_for_runtimes(architecture)]);
        }
        command.arg(to).arg(source).current_dir(options.directory);
        environment::for_build(&mut command, options.directory, &|name| env::var_os(name));
        command.stdin(options.lock.try_clone().map_err(Error::Start)?);
        child::run(command, &|_| (), &signals::check).map(drop)
    }

    /// Runs the runtime with `arguments`, the first of which is a subcommand, as a job would.
    ///
    /// # Errors
    /// The runtime fails or a signal asks the command to end.
    pub(crate) fn run(&self, arguments: &[&OsStr]) -> Result<(), Error> {
        let mut command = self.real();
        command.args(arguments).stdin(Stdio::null());
        child::run(command, &|_| (), &signals::check).map(drop)
    }

    /// Runs the runtime's signature check on a SIF file, and returns its output.
    ///
    /// # Errors
    /// The runtime fails, for example because a signature is invalid or missing.
    pub(crate) fn verify(&self, file: &Path) -> Result<String, Error> {
        let mut command = self.command("verify");
        command.arg(file).stdin(Stdio::null());
        child::run(command, &|_| (), &signals::check).map(|output| output.text())
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = self.real();
        command.arg(subcommand);
        command
    }

    /// A command for the real runtime, without the variables that would lead a job to the shim.
    fn real(&self) -> Command {
        let mut command = Command::new(&self.path);
        environment::without_us(&mut command, &|name| env::var_os(name));
        command
    }
}

/// The name that runtimes use for an architecture. Before version 1.6, Apptainer does not accept
/// plain `arm`.
fn name_for_runtimes(architecture: Architecture) -> &'static str {
    match architecture {
        "arm" => "arm32v7",
        other => other,
    }
}

#[cfg(test)]
mod tests;
