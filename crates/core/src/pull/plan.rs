//! The plan for answering a pull, or the reason why only the runtime can handle it.

use super::target::Target;
use super::{Pull, variables};
use crate::command_line::{Environment, Level, file_name};
use crate::image_uri::ImageUri;
use std::fmt;

/// What the answer to a pull writes and prints, apart from the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The file.
    pub target: Target,
    /// Apptainer's messages about the job's variables. `None` if it prints messages that are not
    /// known, so that only a pull by Singularity can be answered. Singularity prints none, but
    /// Apptainer is also installed as `singularity`.
    pub about_variables: Option<Vec<String>>,
}

/// Why the runtime handles a pull or a build, whether or not the image is in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnlyRuntime {
    /// The site has turned answers off: `pull=off`.
    Off,
    /// It is a build from an image of another transport than docker.
    BuildTransport,
    /// The runtime prints details.
    Details,
    /// The runtimes name the file in different ways, or the path does not end with a name.
    FileName,
    /// The runtime refuses to replace an existing file.
    Exists,
    /// The runtime prints messages about variables that are not in [`Plan::about_variables`].
    Variables,
}

impl OnlyRuntime {
    /// A stable word for scripts.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Off => "pull-off",
            Self::BuildTransport => "build-transport",
            Self::Details => "pull-with-details",
            Self::FileName => "pull-file-name",
            Self::Exists => "pull-file-exists",
            Self::Variables => "pull-variables",
        }
    }
}

impl fmt::Display for OnlyRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "pulls and builds are left to the runtime (pull=off)",
            Self::BuildTransport => "only builds from docker images use the cache",
            Self::Details => "the runtime prints details of the pull (-v or -d)",
            Self::FileName => "the name of the file is missing or differs between runtimes",
            Self::Exists => "the file exists already, and --force is missing",
            Self::Variables => "the runtime prints messages about variables with two prefixes",
        })
    }
}

/// Plans the answer to a pull of `uri` by `program`, in the current directory.
///
/// # Errors
/// Only the runtime can handle the pull.
pub fn plan(
    pull: &Pull,
    uri: &ImageUri,
    program: &[u8],
    environment: &Environment<'_>,
) -> Result<Plan, OnlyRuntime> {
    if matches!(pull.verbosity.level, Level::Debug | Level::Verbose) {
        return Err(OnlyRuntime::Details);
    }
    let target = Target::new(uri, pull.file.as_deref(), pull.dir.as_deref());
    let target = target.ok_or(OnlyRuntime::FileName)?;
    let about_variables = variables::messages(environment);
    if about_variables.is_none() && file_name(program) == b"apptainer" {
        return Err(OnlyRuntime::Variables);
    }
    // The runtime refuses an existing file before it does anything else.
    if !pull.force && target.exists() {
        return Err(OnlyRuntime::Exists);
    }
    Ok(Plan { target, about_variables })
}
