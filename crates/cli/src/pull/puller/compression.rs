//! Chooses the compression of new images: that of the settings, if images with it start here.
//!
//! A trial takes as long as the conversion of a small image. A success is cached: in memory for
//! this command, and in the image root for later ones.

use crate::cache::store::Store;
use crate::cache::store::scratch::Scratch;
use crate::error::Failure;
use crate::pull::native::trial;
use crate::pull::native::trial::conditions::Conditions;
use crate::pull::native::trial::record::Place;
use crate::pull::runtime::{self, Runtime};
use crate::pull::tmpdir;
use crate::system::signals;
use crate::ui::progress::Progress;
use sifcache_core::settings::Settings;
use sifcache_squashfs::compression::Compression;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// The compression of new images. A trial of it runs while the first image is converted.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    /// Where to remember a trial that succeeds, and the conditions at its start, if these are
    /// certain.
    record: Option<(Place<'a>, Conditions)>,
    wanted: Compression,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Trial(Running),
    /// The trial has ended, or none is needed.
    Known(Compression),
}

/// The thread of a trial; `None` once it has ended.
#[derive(Debug)]
struct Running(Option<JoinHandle<Result<(), trial::Error>>>);

impl<'a> Choice<'a> {
    /// The compression `wanted` by the caller, or else that of the settings. Starts its trial,
    /// unless every runtime can read it, or `store` has a record of a trial that succeeded.
    ///
    /// # Errors
    /// The temporary directory cannot be used, or no thread can be started.
    pub(super) fn new(
        settings: &Settings,
        wanted: Option<Compression>,
        runtime: &Runtime,
        store: &'a Store,
    ) -> Result<Self, Failure> {
        let wanted = wanted.unwrap_or_else(|| of(settings));
        if matches!(wanted, Compression::Gzip(_)) {
            return Ok(Self::known(wanted));
        }
        let base = tmpdir::directory()?;
        let conditions = Conditions::of(runtime.path(), wanted, &base);
        Self::begin(wanted, runtime, &base, Place::new(store), conditions)
    }

    /// Starts the trial, unless `place` has a record of one under these conditions.
    fn begin(
        wanted: Compression,
        runtime: &Runtime,
        base: &Path,
        place: Place<'a>,
        conditions: Option<Conditions>,
    ) -> Result<Self, Failure> {
        let record = conditions.map(|conditions| (place, conditions));
        if record.as_ref().is_some_and(|(place, conditions)| place.has(conditions)) {
            return Ok(Self::known(wanted));
        }
        let running = Running(Some(start(wanted, runtime.clone(), base)?));
        Ok(Self { record, wanted, state: Mutex::new(State::Trial(running)) })
    }

    /// A compression that needs no trial.
    pub(super) fn known(compression: Compression) -> Self {
        Self { record: None, wanted: compression, state: Mutex::new(State::Known(compression)) }
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
    /// A signal asks the command to end.
    pub(super) fn proven(&self, progress: &Progress) -> Result<Compression, Failure> {
        let mut state = self.lock();
        let known = State::Known(Compression::GZIP);
        let running = match std::mem::replace(&mut *state, known) {
            State::Trial(running) => running,
            State::Known(compression) => {
                *state = State::Known(compression);
                return Ok(compression);
            }
        };
        let trial = running.end();
        signals::check()?;
        let proven = match trial? {
            Ok(()) => {
                self.remember();
                self.wanted
            }
            // The site's choice is kept if it cannot be tested.
            Err(trial::Error::Architecture(_)) => self.wanted,
            Err(error) => {
                let wanted = self.wanted;
                progress.note(&format!("compression {wanted} is not used, but gzip: {error}"));
                Compression::GZIP
            }
        };
        *state = State::Known(proven);
        Ok(proven)
    }

    fn remember(&self) {
        if let Some((place, conditions)) = &self.record {
            // Without a record, the next command runs the trial again.
            let _ = place.remember(conditions);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// The result of the trial, once it has ended.
    fn end(mut self) -> Result<Result<(), trial::Error>, Failure> {
        self.0.take().and_then(|thread| thread.join().ok()).ok_or(Failure::Thread)
    }
}

/// The trial's files are removed at its end, so the command must not end before.
impl Drop for Running {
    fn drop(&mut self) {
        // The result is no longer needed.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

/// Starts the trial of a compression, with an image below `base`.
fn start(
    wanted: Compression,
    runtime: Runtime,
    base: &Path,
) -> Result<JoinHandle<Result<(), trial::Error>>, Failure> {
    let scratch = Scratch::new(base).map_err(|error| Failure::output(base, error))?;
    let run = move |arguments: &[&OsStr]| {
        runtime.run(arguments).map_err(|error: runtime::Error| error.to_string())
    };
    let prove = move || trial::prove(scratch.directory(), wanted, &run);
    Ok(Builder::new().name("trial".to_owned()).spawn(prove)?)
}

/// The compression of the settings. Their values are those that this type can have.
fn of(settings: &Settings) -> Compression {
    settings.compression.to_string().parse().unwrap_or(Compression::GZIP)
}

#[cfg(test)]
mod tests;
