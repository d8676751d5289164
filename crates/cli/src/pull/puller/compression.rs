//! Chooses the compression of new images: that of the settings, if images with it start here.

use crate::cache::store::cannot_write;
use crate::cache::store::scratch::Scratch;
use crate::error::Failure;
use crate::pull::native::trial;
use crate::pull::runtime::{self, Runtime};
use crate::pull::tmpdir;
use crate::system::signals;
use crate::ui::progress::Progress;
use sifcache_core::settings::Settings;
use sifcache_squashfs::compression::Compression;
use std::ffi::OsStr;

/// The compression `wanted` by the caller, or else that of the settings. If images with it do not
/// start on this host, this is reported, and it is gzip.
///
/// # Errors
/// If the temporary directory cannot be used, or a signal asks the command to end.
pub(super) fn usable(
    settings: &Settings,
    wanted: Option<Compression>,
    runtime: &Runtime,
    progress: &Progress,
) -> Result<Compression, Failure> {
    let wanted = wanted.unwrap_or_else(|| of(settings));
    if matches!(wanted, Compression::Gzip(_)) {
        return Ok(wanted);
    }
    let base = tmpdir::directory()?;
    let scratch = Scratch::new(&base).map_err(|error| cannot_write(&base, error))?;
    let run = |arguments: &[&OsStr]| {
        runtime.run(arguments).map_err(|error: runtime::Error| error.to_string())
    };
    let proof = trial::prove(scratch.directory(), wanted, &run);
    signals::check()?;
    match proof {
        // The site knows its machines better.
        Ok(()) | Err(trial::Error::Architecture(_)) => Ok(wanted),
        Err(error) => {
            progress.note(&format!("compression {wanted} is not used, but gzip: {error}"));
            Ok(Compression::GZIP)
        }
    }
}

/// The compression of the settings. Their values are those that this type can have.
fn of(settings: &Settings) -> Compression {
    settings.compression.to_string().parse().unwrap_or(Compression::GZIP)
}

#[cfg(test)]
mod tests {
    use super::of;
    use sifcache_core::settings::Settings;
    use sifcache_squashfs::compression::Compression;

    #[test]
    fn each_value_of_the_setting_is_a_compression() {
        let levels = |name: &str, highest: u32| {
            let levels = (1..=highest).map(|level| format!("{name}:{level}"));
            levels.chain([name.to_owned()]).collect::<Vec<_>>()
        };
        for value in [levels("gzip", 9), levels("zstd", 19)].concat() {
            let line = ["image_root=/sif".to_owned(), format!("compression={value}")];
            let settings = Settings::parse(&line).unwrap();
            assert_eq!(value.parse(), Ok(of(&settings)), "{value}");
        }
        assert_eq!(of(&Settings::with_roots(Vec::new())), Compression::GZIP);
    }
}
