//! Checks that the runtime starts images with the site's `compression=` on this host: it starts a
//! small image that is removed afterwards.

use super::finding::Finding;
use super::host::Host;
use super::runtimes::Runtime;
use crate::cache::store::scratch::Scratch;
use crate::pull::native::trial::{self, Error};
use crate::pull::tmpdir;
use crate::system::process::Call;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::settings::{Algorithm, Settings};
use std::ffi::OsStr;

/// Runs the check. With gzip, there is nothing to check.
pub(crate) fn check(host: &Host, runtime: &Runtime) -> Option<Finding> {
    let settings = host.site.settings.as_ref()?;
    if settings.compression.algorithm == Algorithm::Gzip {
        return None;
    }
    let name = escape_for_terminal(&runtime.path);
    let compression = settings.compression;
    let untested =
        |why: String| Finding::skipped("compression", format!("{name}: not tested: {why}"));
    Some(match attempt(host, runtime, settings) {
        Err(why) => untested(why),
        Ok(Ok(())) => {
            let message = format!("{name} starts images with compression={compression}");
            Finding::ok("compression", message)
        }
        Ok(Err(Error::Refused(why))) => {
            let message =
                format!("{name} does not start images with compression={compression}: {why}");
            Finding::fail("compression", message).advice(
                "set compression=gzip, and add images with zstd again with --force; or install a \
                 squashfuse with support for zstd",
            )
        }
        Ok(Err(error)) => untested(error.to_string()),
    })
}

/// The result of the trial, or why there is none.
fn attempt(
    host: &Host,
    runtime: &Runtime,
    settings: &Settings,
) -> Result<Result<(), Error>, String> {
    let text = settings.compression.to_string();
    let compression = text.parse().map_err(|_| format!("{text} is unknown"))?;
    let base = tmpdir::directory().map_err(|error| error.to_string())?;
    let scratch = Scratch::new(&base).map_err(|error| error.to_string())?;
    let run = |arguments: &[&OsStr]| start(host, runtime, arguments);
    Ok(trial::prove(scratch.directory(), compression, &run))
}

fn start(host: &Host, runtime: &Runtime, arguments: &[&OsStr]) -> Result<(), String> {
    let arguments = arguments.iter().map(|text| text.to_string_lossy().into_owned()).collect();
    let program = runtime.path.clone();
    let answer = host.call(&Call { program, arguments, ..Call::default() });
    let answer = answer.map_err(|error| error.describe("it"))?;
    match answer.success {
        true => Ok(()),
        false => Err(answer.stderr.lines().next_back().unwrap_or("no message").to_owned()),
    }
}
