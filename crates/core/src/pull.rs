//! Pulls: finds the image and the target in `RUNTIME pull [F] URI`.
//!
//! [`crate::command_line`] has the rules of the grammar. A command line that is unknown or
//! ambiguous, or has an option that changes the result, is not a pull, and the command is left
//! unchanged.

pub mod link;
pub mod plan;
pub mod target;
mod variables;

use crate::command_line::environment::{Environment, Variable, key, text, unprefixed};
use crate::command_line::transfer::Grammar;
use crate::command_line::{Given, Verbosity};
use crate::flags;
use crate::transport::Transport;

/// Why a command line is not a pull whose image can come from the cache.
pub use crate::command_line::NotServed as NotPull;

/// A parsed command line that pulls an image into a file, and whose result depends on nothing but
/// the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// The index of the image's URI in argv; the runtime itself has index 0. The URI can have any
    /// transport.
    pub image_index: usize,
    /// The file, from `--name`, the argument before the URI, or a variable. `None` stands for the
    /// name that the runtime forms from the URI. It is not empty.
    pub file: Option<Vec<u8>>,
    /// The directory, from `--dir` or a variable. The runtime joins it with the file, even if the
    /// path of the file is absolute. It is not empty.
    pub dir: Option<Vec<u8>>,
    /// Whether an existing file is replaced.
    pub force: bool,
    /// Which messages the runtime prints.
    pub verbosity: Verbosity,
}

/// The flags that do not change the image, and those that are handled below.
/// `docs/launch-grammar.md` has the reasons for each flag.
pub(crate) const GRAMMAR: Grammar = Grammar {
    word: "pull",
    command: flags::PULL,
    accepted: "allow-unauthenticated dir docker-host force library name tmpdir",
    altering: &[
        key("ALLOW_UNSIGNED"),
        text("ARCH"),
        text("AUTHFILE"),
        text("AUTH_FILE"),
        text("CONFIG_FILE"),
        key("DISABLE_CACHE"),
        key("DOCKER_LOGIN"),
        unprefixed("DOCKER_PASSWORD"),
        unprefixed("DOCKER_USERNAME"),
        key("KEEP_LAYERS"),
        // Only Singularity 3.0 to 3.2 read it. Later runtimes set it in containers.
        text("NAME"),
        key("NOHTTPS"),
        key("NO_CLEANUP"),
        key("NO_HTTPS"),
        key("NO_OCI"),
        key("OCI"),
        text("PLATFORM"),
        text("PULL_ARCH"),
        text("PULL_ARCH_VARIANT"),
        key("REPRODUCIBLE"),
        key("SANDBOX"),
        key("WITH_COSIGN"),
    ],
    runtime_runs: false,
};

/// Finds the image and the target in `argv`. `runtimes` are the file names of the runtimes;
/// `environment` returns the value of a variable of the job.
///
/// # Errors
/// The command line is not a pull, or an option changes the result: see [`NotPull`].
pub fn find<A: AsRef<[u8]>>(
    argv: &[A],
    runtimes: &[String],
    environment: &Environment<'_>,
) -> Result<Pull, NotPull> {
    let (mut name, mut dir, mut force, mut library) = (None, None, None, None);
    let transfer =
        GRAMMAR.parse(argv, runtimes, environment, &mut |flag, given| match (flag, given) {
            ("name", Given::Text(value)) => name = Some(value),
            ("dir", Given::Text(value)) => dir = Some(value),
            ("force", Given::Bool(on)) => force = Some(on),
            ("library", Given::Text(value)) => library = Some(value),
            _ => {}
        })?;
    let index = transfer.first_argument;
    let argument = match argv.get(index..).unwrap_or_default() {
        [_uri] => None,
        [file, _uri] => Some(file.as_ref()),
        _ => return Err(NotPull::Arguments),
    };
    // A flag takes precedence over its variables, even if its value is empty.
    let value = |flag: Option<&[u8]>, variables: &[Variable]| match flag {
        Some(value) => Ok(Some(value.to_vec()).filter(|value| !value.is_empty())),
        None => transfer.variables.text(variables),
    };
    let file = match (value(name, &[text("PULL_NAME")])?, argument) {
        (Some(name), _) => Some(name),
        // The runtime takes an empty argument literally.
        (None, Some(b"")) => return Err(NotPull::BadValue(index)),
        (None, argument) => argument.map(<[u8]>::to_vec),
    };
    // Another library server may have another image of the same name.
    let uri = argv.last().map(AsRef::as_ref).unwrap_or_default();
    let is_library = Transport::split(uri).is_some_and(|(one, _)| one == Transport::Library);
    if is_library && value(library, &[text("LIBRARY")])?.is_some() {
        return Err(NotPull::AlteringVariable(text("LIBRARY")));
    }
    Ok(Pull {
        image_index: argv.len() - 1,
        file,
        dir: value(dir, &[text("PULLDIR"), text("PULLFOLDER")])?,
        force: match force {
            Some(force) => force,
            None => transfer.variables.boolean(key("FORCE"))?.unwrap_or(false),
        },
        verbosity: transfer.verbosity,
    })
}

#[cfg(test)]
mod tests;
