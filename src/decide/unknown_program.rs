//! Warns about a launch by a program that is not listed as a runtime, if the site or the user
//! forbids pulls. Without the warning, `require` and `on_miss=fail` would seem to have an effect.

use crate::decide::report;
use crate::decide::requested_mode::RequestedMode;
use crate::job::Job;
use crate::spank::runtimes::SYSTEM;
use crate::spank::within;
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::image_uri::ImageUri;
use sifcache_core::launch;
use sifcache_core::nested::is_shims;
use sifcache_core::settings::{OnMiss, Settings};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The timeout for the comparison of files. A warning does not justify a longer delay.
const LONGEST: Duration = Duration::from_secs(1);

/// Warns if the task's command has the arguments of a launch of an image that is looked up, but its
/// program does not have the name of a runtime.
///
/// With `require`, every such program counts. With the site's own `on_miss=fail` a program counts
/// only if it is probably a copied runtime: podman takes the same arguments, and its users have not
/// requested anything.
pub fn warn(job: &dyn Job, settings: &Settings, requested: &RequestedMode, is_ambiguous: bool) {
    // Most tasks end here.
    if requested.mode != CacheMode::Require && settings.on_miss != OnMiss::Fail {
        return;
    }
    let of_site = format!("on_miss={} in plugstack.conf", settings.on_miss_value());
    let because = match (requested.mode, settings.on_miss) {
        (CacheMode::Require, _) => "--sif-cache=require (or SIF_CACHE=require)",
        (CacheMode::Auto | CacheMode::Wait, OnMiss::Fail) => of_site.as_str(),
        _ => return,
    };
    // Only the reporter prints the warning, so the other tasks of a step need not compare the
    // files.
    if !job.step().is_reporter() {
        return;
    }
    let command = job.command();
    let Some((program, arguments)) = command.split_first() else { return };
    let counts = || {
        requested.mode == CacheMode::Require
            || is_ambiguous
            // With --bcast=DIRECTORY/, the name of the program is lost.
            || program.ends_with(b"/")
            || is_copy(job, settings, program)
    };
    if is_launch_of_image(arguments, settings) && counts() {
        report::unknown_program(job, settings, because);
    }
}

/// Whether these arguments, after the name of a runtime, would be a launch of an image with one of
/// the transports that are looked up.
fn is_launch_of_image(arguments: &[&[u8]], settings: &Settings) -> bool {
    let runtime: Vec<&[u8]> =
        settings.runtimes.first().map(|name| name.as_bytes()).into_iter().collect();
    let command = [&runtime, arguments].concat();
    let launch = launch::find(&command, &settings.runtimes);
    let image = launch.ok().and_then(|launch| command.get(launch.image_index));
    image.is_some_and(|image| ImageUri::is_likely(image))
}

/// Whether the program is probably a copied runtime: a compiled program, or a file with the size of
/// a runtime of this node. The node may lack the runtime, or have another release of it, so the
/// size alone is not enough. The size recognizes Singularity 2, which is a script. Other scripts do
/// not count: they start a runtime by its name, and the shim then looks the image up.
#[cold]
fn is_copy(job: &dyn Job, settings: &Settings, program: &[u8]) -> bool {
    if is_podman(program) {
        return false;
    }
    let path = job.variable("PATH").unwrap_or_default();
    let compare = |report: &mut dyn FnMut(())| {
        let Some(file) = files(program, &path).find(|file| size(file).is_some()) else { return };
        let copied = size(&file);
        if is_compiled(&file) || runtimes(settings, &path).any(|runtime| size(&runtime) == copied) {
            report(());
        }
    };
    !within(LONGEST, &compare).0.is_empty()
}

/// Whether the name is that of podman or one of its variants, which accept `run docker://IMAGE`.
fn is_podman(program: &[u8]) -> bool {
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.starts_with(b"podman")
}

fn is_compiled(file: &Path) -> bool {
    let mut magic = [0; 4];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}

/// The files that may be the program: the path itself, or the name in each directory of `PATH`.
fn files<'a>(program: &'a [u8], path: &'a [u8]) -> impl Iterator<Item = PathBuf> + 'a {
    let is_path = program.contains(&b'/');
    let directories = directories(path).filter(move |_| !is_path);
    let in_path = directories.map(|directory| join(directory, program));
    is_path.then(|| join(b"", program)).into_iter().chain(in_path)
}

/// The files that may be a runtime of this node. The task's `PATH` may lack the directory of the
/// file that was copied, so the system's directories always count. They come first, because a
/// directory in `PATH` may be on a hung file server.
fn runtimes<'a>(settings: &'a Settings, path: &'a [u8]) -> impl Iterator<Item = PathBuf> + 'a {
    let system = SYSTEM.iter().map(|directory| directory.as_bytes());
    let all = system.chain(directories(path));
    all.flat_map(|directory| {
        settings.runtimes.iter().map(move |name| join(directory, name.as_bytes()))
    })
}

/// The directories of `path`, a value of `PATH`, without those of shims.
fn directories(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let entries = path.split(|byte| *byte == b':');
    entries.filter(|entry| entry.starts_with(b"/") && !is_shims(entry))
}

fn join(directory: &[u8], file: &[u8]) -> PathBuf {
    Path::new(OsStr::from_bytes(directory)).join(OsStr::from_bytes(file))
}

fn size(path: &Path) -> Option<u64> {
    let metadata = fs::metadata(path).ok()?;
    metadata.is_file().then_some(metadata.len())
}
