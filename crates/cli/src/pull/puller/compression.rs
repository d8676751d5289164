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
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// The compression of new images. A trial of it runs while the first image is converted.
#[derive(Debug)]
pub(super) struct Choice {
    wanted: Compression,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Trial(JoinHandle<Result<(), trial::Error>>),
    /// The trial has ended, or none is needed.
    Known(Compression),
}

impl Choice {
    /// The compression `wanted` by the caller, or else that of the settings. Starts its trial,
    /// unless every runtime can read it.
    ///
    /// # Errors
    /// If the temporary directory cannot be used, or no thread can be started.
    pub(super) fn new(
        settings: &Settings,
        wanted: Option<Compression>,
        runtime: &Runtime,
    ) -> Result<Self, Failure> {
        let wanted = wanted.unwrap_or_else(|| of(settings));
        if matches!(wanted, Compression::Gzip(_)) {
            return Ok(Self::known(wanted));
        }
        let base = tmpdir::directory()?;
        let scratch = Scratch::new(&base).map_err(|error| cannot_write(&base, error))?;
        let runtime = runtime.clone();
        let run = move |arguments: &[&OsStr]| {
            runtime.run(arguments).map_err(|error: runtime::Error| error.to_string())
        };
        let prove = move || trial::prove(scratch.directory(), wanted, &run);
        let trial = Builder::new().name("trial".to_owned()).spawn(prove)?;
        Ok(Self { wanted, state: Mutex::new(State::Trial(trial)) })
    }

    /// A compression that needs no trial.
    pub(super) fn known(compression: Compression) -> Self {
        Self { wanted: compression, state: Mutex::new(State::Known(compression)) }
    }

    /// The compression to begin with: the one that [`Self::proven`] will most likely return.
    pub(super) fn likely(&self) -> Compression {
        match *self.lock() {
            State::Known(compression) => compression,
            State::Trial(_) => self.wanted,
        }
    }

    /// The compression with which images start on this host: gzip if the wanted one does not, which
    /// is reported. Waits for the end of the trial.
    ///
    /// # Errors
    /// If a signal asks the command to end.
    pub(super) fn proven(&self, progress: &Progress) -> Result<Compression, Failure> {
        let mut state = self.lock();
        let trial = match std::mem::replace(&mut *state, State::Known(Compression::GZIP)) {
            State::Trial(trial) => trial.join().map_err(|_| Failure::Thread),
            State::Known(compression) => {
                *state = State::Known(compression);
                return Ok(compression);
            }
        };
        signals::check()?;
        let proven = match trial? {
            // The site knows its machines better.
            Ok(()) | Err(trial::Error::Architecture(_)) => self.wanted,
            Err(error) => {
                let wanted = self.wanted;
                progress.note(&format!("compression {wanted} is not used, but gzip: {error}"));
                Compression::GZIP
            }
        };
        *state = State::Known(proven);
        Ok(proven)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The trial's files are removed at its end, so the command must not end before.
impl Drop for Choice {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let State::Trial(trial) = std::mem::replace(state, State::Known(self.wanted)) {
            // The result is no longer needed.
            let _ = trial.join();
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
