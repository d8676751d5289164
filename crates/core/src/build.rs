//! Builds from an image: finds the source in `RUNTIME build [--sandbox] TARGET SOURCE`.
//!
//! With the path of the SIF file as SOURCE, the runtime builds the target without a registry. The
//! caller checks that SOURCE is an image's URI: it can also be a definition file, which is left
//! unchanged.

mod directory;

use crate::command_line::Given;
use crate::command_line::environment::{Environment, key, text, unprefixed};
use crate::command_line::transfer::Grammar;
use crate::flags;

/// Why a command line is not a build whose image can come from the cache.
pub use crate::command_line::NotServed as NotBuild;

/// A parsed command line that builds a target from a source, and whose options work in the same way
/// for all sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// The index of the source in argv; the runtime itself has index 0. The source can be anything,
    /// such as a definition file.
    pub image_index: usize,
    /// The index of the target in argv.
    pub target_index: usize,
    /// Whether the target is a directory tree; otherwise it is a SIF file.
    pub sandbox: bool,
}

/// The flags that work in the same way for a `docker://` reference and for a SIF file, and those
/// that are handled below. `docs/launch-grammar.md` has the reasons for each flag.
pub(crate) const GRAMMAR: Grammar = Grammar {
    word: "build",
    command: flags::BUILD,
    accepted: "bind docker-host force library mksquashfs-args mount no-oci notest nv nvccli rocm \
               sandbox section tmpdir userns writable-tmpfs",
    altering: &[
        text("AUTHFILE"),
        text("AUTH_FILE"),
        text("BUILDER"),
        unprefixed("BUILDKIT_HOST"),
        text("BUILD_ARCH"),
        text("BUILD_ARCH_VARIANT"),
        key("DATA"),
        key("DETACHED"),
        key("DISABLE_CACHE"),
        key("DOCKER_LOGIN"),
        unprefixed("DOCKER_PASSWORD"),
        unprefixed("DOCKER_USERNAME"),
        key("FAKEROOT"),
        key("FIXPERMS"),
        key("IGNORE_FAKEROOT_COMMAND"),
        key("IGNORE_PROOT"),
        key("IGNORE_SUBUID"),
        key("IGNORE_USERNS"),
        key("JSON"),
        key("KEEP_LAYERS"),
        key("NOHTTPS"),
        key("NO_CLEANUP"),
        key("NO_HTTPS"),
        key("NO_SETGROUPS"),
        key("OCI"),
        key("REMOTE"),
        key("REPRODUCIBLE"),
        key("UPDATE"),
    ],
    runtime_runs: true,
};

/// Finds the target and the source in `argv`. `runtimes` are the file names of the runtimes;
/// `environment` returns the value of a variable of the job.
///
/// # Errors
/// The command line is not a build, an option depends on the source, or the runtime cannot unpack
/// a SIF file in the directory that it uses: see [`NotBuild`].
pub fn find<A: AsRef<[u8]>>(
    argv: &[A],
    runtimes: &[String],
    environment: &Environment<'_>,
) -> Result<Build, NotBuild> {
    let (mut sandbox, mut tmpdir) = (None, None);
    let transfer =
        GRAMMAR.parse(argv, runtimes, environment, &mut |flag, given| match (flag, given) {
            ("sandbox", Given::Bool(on)) => sandbox = Some(on),
            ("tmpdir", Given::Text(value)) => tmpdir = Some(value),
            _ => {}
        })?;
    let target_index = transfer.first_argument;
    let [target, _source] = argv.get(target_index..).unwrap_or_default() else {
        return Err(NotBuild::Arguments);
    };
    let sandbox = match sandbox {
        Some(on) => on,
        None => transfer.variables.boolean(key("SANDBOX"))?.unwrap_or(false),
    };
    let target = Some(target.as_ref()).filter(|_| sandbox);
    if !directory::allow_unpacking(target, tmpdir, environment) {
        return Err(NotBuild::Directory);
    }
    Ok(Build { image_index: target_index + 1, target_index, sandbox })
}

#[cfg(test)]
mod tests;
